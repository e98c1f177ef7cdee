/** CNI configurations as files (CNI specification 1.1.0, section 1): lists of plugins, and single plugins as older nodes have them. Pure. */

export interface ConfFile {
  readonly name: string;
  readonly text: string;
}

export type Fields = Readonly<Record<string, unknown>>;

/** Our entry in a list of plugins. */
export interface PluginEntry {
  readonly type: string;
  readonly [field: string]: unknown;
}

export const PLUGIN_TYPE = "istio-cni";
/** In our entry: the file of a single plugin that this list was made of, and takes the place of. */
export const CONVERTED_FROM = "converted_from";
/** In our entry: the file that this whole list is a copy of, which stands before it. */
export const COPIED_FROM = "copied_from";

export type ParsedConf =
  | { readonly kind: "list"; readonly document: Fields; readonly plugins: readonly unknown[] }
  | { readonly kind: "single"; readonly document: Fields }
  | { readonly kind: "bad"; readonly why: string };

/** What container runtimes look at, in the order of names. */
export function isConfName(name: string): boolean {
  return /^[^.].*\.(conflist|conf|json)$/.test(name);
}

export function parseConf({ text }: ConfFile): ParsedConf {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { kind: "bad", why: "expected JSON" };
  }
  if (!isRecord(document)) return { kind: "bad", why: "expected an object" };
  const { plugins, type } = document;
  if (Array.isArray(plugins) && plugins.length > 0) return { kind: "list", document, plugins };
  if (plugins === undefined && typeof type === "string" && type !== "") return { kind: "single", document };
  return { kind: "bad", why: "expected a list of plugins, or one plugin with its type" };
}

/** A list of the one plugin. The runtime gives name and version of the list to every plugin in it. */
export function listOfSingle(document: Fields): Fields {
  const { cniVersion, name, ...plugin } = document;
  return { ...(cniVersion !== undefined && { cniVersion }), name: name ?? "network", plugins: [plugin] };
}

/** The other way round. */
export function singleOfList({ plugins, ...outer }: Fields): Fields {
  const [plugin] = Array.isArray(plugins) ? plugins : [];
  return { ...outer, ...(isRecord(plugin) ? plugin : {}) };
}

/** Our entries of a list. */
export function ownEntries(plugins: readonly unknown[]): readonly Fields[] {
  return plugins.filter(isRecord).filter(({ type }) => type === PLUGIN_TYPE);
}

export function otherEntries(plugins: readonly unknown[]): readonly unknown[] {
  return plugins.filter((plugin) => !isRecord(plugin) || plugin["type"] !== PLUGIN_TYPE);
}

/** The file that our entry says this list was made of; undefined for a list that is somebody else's. */
export function originOf(
  conf: ParsedConf,
  field: typeof CONVERTED_FROM | typeof COPIED_FROM,
): string | undefined {
  const [own] = conf.kind === "list" ? ownEntries(conf.plugins) : [];
  const origin = own?.[field];
  return typeof origin === "string" && isConfName(origin) && !origin.includes("/") ? origin : undefined;
}

export function renderConf(name: string, document: unknown): ConfFile {
  return { name, text: `${JSON.stringify(document, undefined, 2)}\n` };
}

function isRecord(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
