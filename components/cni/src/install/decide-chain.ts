/** How the plugin gets into, and out of, the node's CNI configuration (CNI specification 1.1.0, section 1). Pure. */

export interface ConfFile {
  readonly name: string;
  readonly text: string;
}

/** Our entry in a list of plugins. */
export interface PluginEntry {
  readonly type: string;
  readonly [field: string]: unknown;
}

export type ChainDecision =
  | { readonly kind: "chained"; readonly name: string }
  | { readonly kind: "write"; readonly file: ConfFile }
  /** Pods cannot be enrolled at their start until this changes. */
  | { readonly kind: "wait"; readonly why: string };

export const PLUGIN_TYPE = "istio-cni";

/** What container runtimes look at, in the order of names. */
export function isConfName(name: string): boolean {
  return /^[^.].*\.(conflist|conf|json)$/.test(name);
}

/**
 * Joins the list that the runtime uses: the one of the lowest name, or the one asked for. Ours comes last, when the pod's network is up.
 * Other plugins' entries stay as they are, in their order.
 */
export function decideChain(
  files: readonly ConfFile[],
  entry: PluginEntry,
  wantedName: string | undefined,
): ChainDecision {
  const used = files
    .filter(({ name }) => (wantedName === undefined ? isConfName(name) : name === wantedName))
    .sort((a, b) => (a.name < b.name ? -1 : 1))[0];
  if (used === undefined) return wait(`expected ${wantedName ?? "a .conflist"}, found none`);
  const list = parseList(used);
  if (typeof list === "string") return wait(`${used.name}: ${list}`);
  const others = list.plugins.filter((plugin) => !isOurs(plugin));
  const own = list.plugins.filter(isOurs);
  if (own.length === 1 && list.plugins.at(-1) === own[0] && sameJson(own[0], entry))
    return { kind: "chained", name: used.name };
  return { kind: "write", file: renderList(used.name, { ...list.document, plugins: [...others, entry] }) };
}

/** The files as they are without us; those that do not name us are left out. */
export function decideUnchain(files: readonly ConfFile[]): readonly ConfFile[] {
  return files
    .filter(({ name }) => isConfName(name))
    .flatMap((file) => {
      const list = parseList(file);
      if (typeof list === "string" || !list.plugins.some(isOurs)) return [];
      return [
        renderList(file.name, {
          ...list.document,
          plugins: list.plugins.filter((plugin) => !isOurs(plugin)),
        }),
      ];
    });
}

interface ParsedList {
  readonly document: Readonly<Record<string, unknown>>;
  readonly plugins: readonly unknown[];
}

/** A string says what is wrong. */
function parseList({ text }: ConfFile): ParsedList | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return "expected JSON";
  }
  if (!isRecord(document)) return "expected an object";
  const { plugins } = document;
  if (!Array.isArray(plugins) || plugins.length === 0)
    return "expected a list of plugins; one plugin alone cannot be chained to: make it a .conflist";
  return { document, plugins };
}

function isOurs(plugin: unknown): boolean {
  return isRecord(plugin) && plugin["type"] === PLUGIN_TYPE;
}

function renderList(name: string, document: unknown): ConfFile {
  return { name, text: `${JSON.stringify(document, undefined, 2)}\n` };
}

/** Ours has no nested objects, and is written by us: the order of its fields is ours too. */
function sameJson(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function wait(why: string): ChainDecision {
  return { kind: "wait", why };
}
