/** From a container of the API to the description that the launch script is made of. */

import { readlinkSync } from "node:fs";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { Pod } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { API_SERVICE_ADDRESS } from "../../network/addresses.ts";
import { SYSTEM_PATH } from "../../network/run-program.ts";
import type { NodeContext } from "../node-context.ts";
import type { PodData } from "../pod-data.ts";
import type { ContainerFolder } from "../pod-folder.ts";
import type { PreparedVolume } from "../volumes/pod-volumes.ts";
import { collectEnvironment, commandLine, expand } from "./environment.ts";
import { type Image, resolveImage } from "./image.ts";
import type { LaunchSpec, Layer, Mount } from "./launch-script.ts";
import { hostnameOf, renderHosts, renderResolvConf } from "./name-resolution.ts";
import { resolveInside } from "./resolve-path.ts";
import type { Container, VolumeMount } from "./types.ts";

export interface LaunchContext {
  readonly node: NodeContext;
  readonly pod: Pod;
  readonly data: PodData;
  readonly volumes: ReadonlyMap<string, PreparedVolume>;
  readonly podIps: readonly string[];
  readonly networkNamespace: string;
  readonly podCgroup: string;
}

/**
 * Makes the folders of one run and describes it. Throws NOT_FOUND for an image or a reference that is not there (reasons
 * ErrImagePull, CreateContainerConfigError), INPUT_INVALID for what cannot be run at all.
 */
export async function describeLaunch(
  context: LaunchContext,
  container: Container,
  folder: ContainerFolder,
  attempt: number,
): Promise<LaunchSpec> {
  const { node, pod } = context;
  const image = resolveImage(node.images, container.image ?? "");
  const lower = image.kind === "folder" ? image.path : "/";
  const user = userOf(pod, container);
  const environment = environmentOf(context, container, user.userId);
  const command = commandOf(node, image, container, environment);
  const hostname = hostnameOf(pod, node.plan.name);
  const layers = await makeLayers(node, image, folder, attempt);
  await writeNameFiles(layers[0]?.upper ?? "", pod, hostname, context.podIps);
  await mkdir(folder.root, { recursive: true });
  return {
    folder: folder.path,
    rootFolder: folder.root,
    podCgroup: context.podCgroup,
    containerCgroup: join(context.podCgroup, container.name),
    networkNamespace: context.networkNamespace,
    hostname,
    hostPid: pod.spec?.hostPID === true,
    privileged: container.securityContext?.privileged === true,
    readOnlyRoot: container.securityContext?.readOnlyRootFilesystem === true,
    layers,
    mounts: await mountsOf(context, container, lower, environment),
    programFolder: image.kind === "program" ? node.projectFolder : undefined,
    hidden: image.kind === "folder" ? [] : node.hiddenFolders,
    workingDir: workingDirOf(node, container),
    userId: user.userId,
    groupId: user.groupId,
    environment,
    command,
  };
}

/** Programs of the project run from its folder, by which their own entrypoints are named. */
export function workingDirOf(node: NodeContext, container: Container): string {
  const image = resolveImage(node.images, container.image ?? "");
  return container.workingDir ?? (image.kind === "program" ? node.projectFolder : "/");
}

export interface ContainerUser {
  readonly userId: number | undefined;
  readonly groupId: number | undefined;
}

/** The container's own setting wins over the pod's. A group without a user is root's, as with other runtimes. */
export function userOf(pod: Pod, container: Container): ContainerUser {
  const own = container.securityContext;
  const shared = pod.spec?.securityContext;
  const userId = own?.runAsUser ?? shared?.runAsUser;
  const groupId = own?.runAsGroup ?? shared?.runAsGroup ?? (userId === undefined ? undefined : 0);
  if ((own?.runAsNonRoot ?? shared?.runAsNonRoot) === true && (userId ?? 0) === 0)
    throw new MeshError("INPUT_INVALID", "container has runAsNonRoot and image will run as root");
  return { userId, groupId };
}

/** Throws NOT_FOUND naming the ConfigMap, Secret or key that is missing. */
export function environmentOf(
  context: Pick<LaunchContext, "node" | "pod" | "data">,
  container: Container,
  userId: number | undefined,
): ReadonlyMap<string, string> {
  const base = new Map([
    ["PATH", SYSTEM_PATH],
    ["HOSTNAME", hostnameOf(context.pod, context.node.plan.name)],
    ["HOME", (userId ?? 0) === 0 ? "/root" : "/"],
    ["KUBERNETES_SERVICE_HOST", API_SERVICE_ADDRESS],
    ["KUBERNETES_SERVICE_PORT", "443"],
    ["KUBERNETES_SERVICE_PORT_HTTPS", "443"],
  ]);
  const result = collectEnvironment(container, base, context.data.environment);
  if (result.kind === "missing") throw new MeshError("NOT_FOUND", result.message);
  return result.environment;
}

function commandOf(
  node: NodeContext,
  image: Image,
  container: Container,
  environment: ReadonlyMap<string, string>,
): readonly string[] {
  const entrypoint = image.kind === "program" ? image.entrypoint : [];
  const words = commandLine(container, entrypoint, environment);
  if (words.length === 0)
    throw new MeshError(
      "INPUT_INVALID",
      `container ${container.name}: expected a command, its image has none`,
    );
  const [program = "", ...rest] = words;
  const isOwn = image.kind === "program" && (container.command ?? []).length === 0;
  return [isOwn && program === "node" ? node.nodeProgram : program, ...rest];
}

async function makeLayers(
  node: NodeContext,
  image: Image,
  folder: ContainerFolder,
  attempt: number,
): Promise<readonly Layer[]> {
  const disks = image.kind === "folder" ? [] : node.disks;
  const targets = ["/", ...disks];
  const layers = targets.map(
    (target, index): Layer => ({
      lower: target === "/" && image.kind === "folder" ? image.path : target,
      upper: join(folder.layer(attempt), `${index}`, "upper"),
      work: join(folder.layer(attempt), `${index}`, "work"),
      target,
    }),
  );
  for (const layer of layers) {
    if (/[\\:,]/.test(layer.lower))
      throw new MeshError("INPUT_INVALID", `image folder ${layer.lower}: expected a path without : , and \\`);
    await mkdir(layer.upper, { recursive: true, mode: 0o755 });
    await mkdir(layer.work, { recursive: true });
  }
  return layers;
}

/** Into the top layer: real files, even where the image has links to places that the container lacks. */
async function writeNameFiles(
  upper: string,
  pod: Pod,
  hostname: string,
  podIps: readonly string[],
): Promise<void> {
  const etc = join(upper, "etc");
  await mkdir(etc, { recursive: true, mode: 0o755 });
  await writeFile(join(etc, "resolv.conf"), renderResolvConf(pod), { mode: 0o644 });
  await writeFile(join(etc, "hosts"), renderHosts(pod, hostname, podIps), { mode: 0o644 });
  await writeFile(join(etc, "hostname"), `${hostname}\n`, { mode: 0o644 });
}

async function mountsOf(
  context: LaunchContext,
  container: Container,
  lower: string,
  environment: ReadonlyMap<string, string>,
): Promise<readonly Mount[]> {
  const mounts: Mount[] = [];
  for (const mount of container.volumeMounts ?? [])
    mounts.push(await mountOf(context.volumes.get(mount.name), mount, lower, environment));
  // A mount below another one must come after it.
  return mounts.sort((a, b) => a.target.split("/").length - b.target.split("/").length);
}

async function mountOf(
  volume: PreparedVolume | undefined,
  mount: VolumeMount,
  lower: string,
  environment: ReadonlyMap<string, string>,
): Promise<Mount> {
  if (volume === undefined)
    throw new MeshError("NOT_FOUND", `volume mount ${mount.mountPath}: there is no volume "${mount.name}"`);
  const target = resolveInside(lower, mount.mountPath, readLink);
  if (target === undefined || target === "/")
    throw new MeshError("INPUT_INVALID", `volume mount ${mount.mountPath}: expected a path below /`);
  const subPath = mount.subPath ?? expand(mount.subPathExpr ?? "", environment);
  if (subPath === "")
    return { source: volume.source, target, kind: volume.kind, readOnly: mount.readOnly === true };
  const clean = normalize(subPath);
  if (clean.startsWith("..") || clean.startsWith("/"))
    throw new MeshError(
      "INPUT_INVALID",
      `volume mount ${mount.mountPath}: subPath ${subPath} leaves the volume`,
    );
  const source = join(volume.source, clean);
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) await mkdir(source, { recursive: true });
  const kind = found === undefined || found.isDirectory() ? "folder" : "file";
  return { source, target, kind, readOnly: mount.readOnly === true };
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
