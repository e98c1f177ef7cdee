/** CNI network configuration lists (CNI specification 1.0.0, section 1). Pure. */

import { MeshError } from "@meltemi/runtime";

export interface PluginConfig {
  readonly type: string;
  /** Every field as it stands in the file, for the plugin. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface NetworkList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly PluginConfig[];
}

/** `type` of the entry that stands for the node's own network: the kubelet has done its work before any plugin runs. */
export const BUILT_IN_TYPE = "meltemi";

/** A list is a page of text; anything bigger is no configuration. */
const MAX_BYTES = 1024 * 1024;
const MAX_PLUGINS = 16;

/** Throws CONFIG_INVALID naming the file and what is wrong. A `.conf` file is a list of one. */
export function parseNetworkList(file: string, text: string): NetworkList {
  const wrong = (what: string): MeshError => new MeshError("CONFIG_INVALID", `${file}: ${what}`);
  if (text.length > MAX_BYTES) throw wrong(`expected at most ${MAX_BYTES} bytes, got ${text.length}`);
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `${file}: expected JSON`, { cause });
  }
  if (!isRecord(document)) throw wrong("expected an object");
  const { cniVersion, name } = document;
  if (typeof cniVersion !== "string") throw wrong("expected a cniVersion");
  if (typeof name !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(name))
    throw wrong("expected a network name");
  const entries = document["plugins"] ?? [document];
  if (!Array.isArray(entries) || entries.length === 0 || entries.length > MAX_PLUGINS)
    throw wrong(`expected 1 to ${MAX_PLUGINS} plugins`);
  return { cniVersion, name, plugins: entries.map((entry) => parsePlugin(entry, wrong)) };
}

function parsePlugin(entry: unknown, wrong: (what: string) => MeshError): PluginConfig {
  if (!isRecord(entry)) throw wrong("expected every plugin to be an object");
  const { type } = entry;
  // The type is a file name in the plugin folder.
  if (typeof type !== "string" || !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(type))
    throw wrong("expected every plugin to have a type, the name of its program");
  return { type, fields: entry };
}

/** The list that a fresh node has: its own network alone, for others to chain themselves in. */
export function renderFirstList(): string {
  const list = { cniVersion: "1.0.0", name: "meltemi", plugins: [{ type: BUILT_IN_TYPE }] };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** The file that counts: the lowest name among `.conflist` and `.conf`. */
export function chooseListFile(names: readonly string[]): string | undefined {
  return names.filter((name) => /\.(conflist|conf)$/.test(name)).sort((a, b) => (a < b ? -1 : 1))[0];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
