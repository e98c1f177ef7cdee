/** `istioctl create-remote-secret` (reference: l7-and-cli §3.6). */

import type { Command } from "commander";
import { Option } from "commander";
import { stringify } from "yaml";
import { readerToken } from "../remote-secret/reader-account.ts";
import { remoteSecret } from "../remote-secret/remote-secret.ts";
import { type MeshFlags, meshOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { readBoolean } from "./flag-values.ts";

interface SecretFlags extends MeshFlags {
  readonly name: string;
  readonly server?: string;
  readonly tlsServerName?: string;
  readonly serviceAccount: string;
  readonly createServiceAccount: boolean;
  readonly secretName?: string;
}

export function addCreateRemoteSecretCommand(program: Command, context: CommandContext): void {
  const command = meshOptions(program.command("create-remote-secret"))
    .description(
      "a Secret that lets the control plane of another cluster read this one; printed, not applied",
    )
    .requiredOption("--name <name>", "name of this cluster, as its installation calls it")
    .option(
      "--server <url>",
      "how the other cluster reaches this one's API server; otherwise that of the kubeconfig",
    )
    .option("--tls-server-name <name>", "name in the API server's certificate, where the URL has another")
    .option("--service-account <name>", "account to read as", "istio-reader-service-account")
    .addOption(
      new Option("--create-service-account [boolean]", "make the account with its rights, when it is missing")
        .argParser(readBoolean)
        .default(true),
    )
    .option("--secret-name <name>", "name of the Secret; otherwise istio-remote-secret-<name>")
    .action((flags: SecretFlags) => create(flags, context));
  command.addHelpText(
    "after",
    "\nWhat is printed holds a token: whoever has it may read services and pods of this cluster.",
  );
  withExamples(command, program, [
    "$0 create-remote-secret --name east --context east | kubectl apply -f - --context west",
  ]);
}

async function create(flags: SecretFlags, context: CommandContext): Promise<void> {
  await withCluster(flags, context, async (client, access) => {
    const account = {
      name: flags.serviceAccount,
      namespace: flags.istioNamespace,
      create: flags.createServiceAccount,
    };
    const { token, expiresAtMs } = await readerToken(client, account, context.signal);
    const secret = remoteSecret(
      {
        name: flags.name,
        server: flags.server ?? access.server.href.replace(/\/$/, ""),
        certificateAuthority: access.certificateAuthority,
        serverName: flags.tlsServerName ?? access.serverName,
        token,
      },
      flags.istioNamespace,
      flags.secretName,
    );
    context.terminal.line(
      `# This file holds a credential: do not check it in.\n${stringify(secret, { blockQuote: "literal" }).trimEnd()}`,
    );
    context.terminal.aside(`The token in it ends ${new Date(expiresAtMs).toISOString()}.`);
  });
}
