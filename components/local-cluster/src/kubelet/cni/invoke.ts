/** The CNI protocol around one pod: what each plugin is told and what its answer means (CNI specification 1.0.0, sections 2 to 5). Pure. */

import { MeshError } from "@meltemi/runtime";
import type { NetworkList, PluginConfig } from "./conflist.ts";

export interface Attachment {
  readonly containerId: string;
  /** Path of the namespace. */
  readonly namespacePath: string;
  readonly interfaceName: string;
  readonly podName: string;
  readonly podNamespace: string;
  readonly podUid: string;
  readonly addresses: readonly { readonly address: string; readonly gateway: string }[];
}

export interface Invocation {
  readonly plugin: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly input: string;
}

export type Command = "ADD" | "DEL";

/** Where a node keeps its plugins. */
export const PLUGIN_FOLDER = "/opt/cni/bin";

export function invocationOf(
  command: Command,
  list: NetworkList,
  plugin: PluginConfig,
  attachment: Attachment,
  previous: unknown,
): Invocation {
  const args = {
    IgnoreUnknown: "1",
    K8S_POD_NAMESPACE: attachment.podNamespace,
    K8S_POD_NAME: attachment.podName,
    K8S_POD_INFRA_CONTAINER_ID: attachment.containerId,
    K8S_POD_UID: attachment.podUid,
  };
  return {
    plugin: plugin.type,
    environment: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: attachment.containerId,
      CNI_NETNS: attachment.namespacePath,
      CNI_IFNAME: attachment.interfaceName,
      CNI_PATH: PLUGIN_FOLDER,
      CNI_ARGS: Object.entries(args)
        .map(([name, value]) => `${name}=${value}`)
        .join(";"),
    },
    input: JSON.stringify({
      ...plugin.fields,
      cniVersion: list.cniVersion,
      name: list.name,
      prevResult: previous,
    }),
  };
}

/** What the built-in network "returned": the `prevResult` of the first chained plugin. */
export function builtInResult(list: NetworkList, attachment: Attachment): unknown {
  return {
    cniVersion: list.cniVersion,
    interfaces: [{ name: attachment.interfaceName, sandbox: attachment.namespacePath }],
    ips: attachment.addresses.map(({ address, gateway }) => ({ address, gateway, interface: 0 })),
    routes: attachment.addresses.map(({ address, gateway }) => ({
      dst: address.includes(":") ? "::/0" : "0.0.0.0/0",
      gw: gateway,
    })),
    dns: {},
  };
}

/** A plugin's result, or what it complained of. ADD without output keeps the previous result. */
export function readResult(
  plugin: string,
  outcome: { readonly code: number; readonly stdout: string; readonly stderr: string },
  previous: unknown,
): unknown {
  const text = outcome.stdout.trim();
  let result: unknown;
  try {
    result = text === "" ? undefined : JSON.parse(text);
  } catch {
    result = undefined;
  }
  if (outcome.code === 0) return result ?? previous;
  const message =
    typeof result === "object" && result !== null && "msg" in result
      ? String(result.msg) + ("details" in result && result.details ? `: ${String(result.details)}` : "")
      : text || outcome.stderr.trim() || `exit code ${outcome.code}`;
  throw new MeshError("UNAVAILABLE", `plugin type="${plugin}" failed: ${message.slice(0, 2000)}`);
}
