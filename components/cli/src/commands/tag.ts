/** `istioctl tag` (reference: l7-and-cli §3.6). */

import { NAMESPACES, nameOf, SERVICES, type Service } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { suggestion } from "@meltemi/validation";
import { type Command, Option } from "commander";
import { stringify } from "yaml";
import { renderStructured } from "../output/structured.ts";
import { renderTable } from "../output/table.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import {
  checkTagName,
  REVISION_LABEL,
  readTags,
  serviceOfRevision,
  type Tag,
  tagService,
} from "../tag/tags.ts";
import { confirmed } from "./confirm.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";

interface SetFlags extends MeshFlags {
  readonly revision: string;
  readonly overwrite: boolean;
}

interface ListFlags extends MeshFlags {
  readonly output: "table" | "json" | "yaml";
}

export function addTagCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program.command("tag").description("names that stand for a revision of the control plane"),
    program,
    ["$0 tag set prod --revision 1-2-3", "$0 tag list"],
  );
  const change = (
    name: string,
    about: string,
    act: (tag: string, flags: SetFlags) => Promise<void>,
  ): void => {
    const command = meshOptions(parent.command(name))
      .description(about)
      .argument("<tag>", "the name")
      .requiredOption("-r, --revision <name>", "revision that it stands for")
      .option("--overwrite", "also when it stands for another revision already", false)
      .action(act);
    withExamples(command, program, [`$0 tag ${name} prod --revision 1-2-3 --overwrite`]);
  };
  change("set", "make a tag, or let it stand for another revision", (tag, flags) =>
    setTag(tag, flags, context),
  );
  change("generate", "print the objects of a tag", (tag, flags) => generateTag(tag, flags, context));
  withExamples(
    meshOptions(parent.command("list").alias("show"))
      .description("tags, their revisions, and the namespaces that name them")
      .addOption(
        new Option("-o, --output <format>", "table, json or yaml")
          .choices(["table", "json", "yaml"])
          .default("table"),
      )
      .action((flags: ListFlags) => listTags(flags, context)),
    program,
    ["$0 tag list", "$0 tag list -o json"],
  );
  withExamples(
    meshOptions(parent.command("remove").alias("delete"))
      .description("remove a tag")
      .argument("<tag>", "the name")
      .option("-y, --skip-confirmation", "do not ask", false)
      .action((tag: string, flags: MeshFlags & { readonly skipConfirmation: boolean }) =>
        removeTag(tag, flags, context),
      ),
    program,
    ["$0 tag remove prod -y"],
  );
}

async function controlPlaneServices(cluster: MeshCluster, namespace: string): Promise<readonly Service[]> {
  const { client, signal } = cluster;
  return (await client.list(SERVICES, { namespace, labelSelector: "app=istiod", signal })).items;
}

async function knownTags(cluster: MeshCluster, istioNamespace: string): Promise<readonly Tag[]> {
  const services = await controlPlaneServices(cluster, istioNamespace);
  const { items } = await cluster.client.list(NAMESPACES, { signal: cluster.signal });
  return readTags(
    services,
    items.map((namespace) => ({
      name: nameOf(namespace),
      revision: namespace.metadata?.labels?.[REVISION_LABEL],
    })),
  );
}

async function planTag(tag: string, flags: SetFlags, cluster: MeshCluster): Promise<Service> {
  checkTagName(tag);
  const services = await controlPlaneServices(cluster, flags.istioNamespace);
  const istiod = serviceOfRevision(services, flags.revision);
  if (istiod !== undefined) return tagService(tag, flags.revision, istiod);
  const revisions = services.map((service) => service.metadata?.labels?.[REVISION_LABEL] ?? "default");
  throw new MeshError(
    "NOT_FOUND",
    `cannot modify tag: cannot find control plane revision ${flags.revision} in namespace ${flags.istioNamespace}${suggestion(flags.revision, [...new Set(revisions)])}`,
  );
}

async function setTag(tag: string, flags: SetFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const service = await planTag(tag, flags, cluster);
    const known = (await knownTags(cluster, flags.istioNamespace)).find((one) => one.tag === tag);
    if (known !== undefined && known.revision !== flags.revision && !flags.overwrite)
      throw new MeshError(
        "CONFLICT",
        `revision tag ${tag} already exists and stands for ${known.revision}, and --overwrite is false`,
      );
    await cluster.client.apply(SERVICES, service, {
      fieldManager: "istioctl",
      force: true,
      signal: cluster.signal,
    });
    context.terminal.line(
      `Revision tag "${tag}" ${known === undefined ? "created" : "updated"}, referencing control plane revision "${flags.revision}". ` +
        `To use this revision tag, use 'kubectl label namespace <NAMESPACE> ${REVISION_LABEL}=${tag}'`,
    );
  });
}

async function generateTag(tag: string, flags: SetFlags, context: CommandContext): Promise<void> {
  const service = await withMeshCluster(flags, context, (cluster) => planTag(tag, flags, cluster));
  context.terminal.line(stringify(service).trimEnd());
}

async function listTags(flags: ListFlags, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const tags = await withMeshCluster(flags, context, (cluster) => knownTags(cluster, flags.istioNamespace));
  if (flags.output !== "table") terminal.line(renderStructured(tags, flags.output));
  else if (tags.length === 0) terminal.line("No Istio revision tags found.");
  else
    for (const line of renderTable(
      ["TAG", "REVISION", "NAMESPACES"],
      tags.map(({ tag, revision, namespaces }) => [tag, revision, namespaces.join(",")]),
    ))
      terminal.line(line);
}

async function removeTag(
  tag: string,
  flags: MeshFlags & { readonly skipConfirmation: boolean },
  context: CommandContext,
): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const known = (await knownTags(cluster, flags.istioNamespace)).find((one) => one.tag === tag);
    if (known === undefined) throw new MeshError("NOT_FOUND", `cannot remove tag "${tag}": cannot find it`);
    const question = `Caution, found ${known.namespaces.length} namespace(s) that use tag "${tag}": ${known.namespaces.join(", ")}. Proceed with removal? [y/N] `;
    if (known.namespaces.length > 0 && !flags.skipConfirmation && !(await confirmed(question, context))) {
      context.terminal.aside("Aborting operation.");
      context.exit(1);
      return;
    }
    const ref = { name: `istiod-revision-tag-${tag}`, namespace: flags.istioNamespace };
    await cluster.client.delete(SERVICES, ref, { signal: cluster.signal });
    context.terminal.line(`Revision tag ${tag} removed`);
  });
}
