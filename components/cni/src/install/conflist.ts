/** Chaining the plugin into a CNI network configuration list, and taking it out again. Pure: text in, text out. */

export const PLUGIN_TYPE = "istio-cni";
/** Name of a list of our own, when there is none to join (Istio: 02-istio-cni.conflist). */
export const CONVERTED_SUFFIX = ".conflist";

export interface PluginSettings {
  readonly runFolder: string;
  readonly excludeNamespaces: readonly string[];
}

export type Edited =
  /** `text` is what the file should hold; `changed` is false when it holds that already. */
  | { readonly kind: "ok"; readonly text: string; readonly changed: boolean }
  | { readonly kind: "bad"; readonly why: string };

/** The entry that the runtime hands to the plugin, completed with `prevResult`. */
export function pluginEntry(settings: PluginSettings): Readonly<Record<string, unknown>> {
  return {
    type: PLUGIN_TYPE,
    name: PLUGIN_TYPE,
    ambient_enabled: true,
    cni_agent_run_dir: settings.runFolder,
    exclude_namespaces: [...settings.excludeNamespaces].sort(),
  };
}

/** Puts the plugin at the end of the list, once, with these settings. A single `.conf` becomes a list of two. */
export function chainPlugin(text: string, settings: PluginSettings): Edited {
  return edit(text, (others) => [...others, pluginEntry(settings)]);
}

/** Takes the plugin out; a list that does not have it stays as it is. */
export function unchainPlugin(text: string): Edited {
  return edit(text, (others) => others);
}

function edit(text: string, plugins: (others: readonly unknown[]) => readonly unknown[]): Edited {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { kind: "bad", why: "expected JSON" };
  }
  if (!isRecord(document)) return { kind: "bad", why: "expected an object" };
  const list = asList(document);
  if (!Array.isArray(list["plugins"])) return { kind: "bad", why: "plugins: expected a list" };
  const others = list["plugins"].filter((entry) => !isRecord(entry) || entry["type"] !== PLUGIN_TYPE);
  const edited = { ...list, plugins: plugins(others) };
  const changed = JSON.stringify(edited) !== JSON.stringify(document);
  // An unchanged file keeps its own layout.
  return { kind: "ok", text: changed ? `${JSON.stringify(edited, undefined, 2)}\n` : text, changed };
}

function asList(document: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if ("plugins" in document || !("type" in document)) return document;
  const { cniVersion, name, ...plugin } = document;
  return { cniVersion, name, plugins: [plugin] };
}

/** The file that runtimes use: the first by name among lists and single configurations. */
export function chooseConfFile(names: readonly string[]): string | undefined {
  return names.filter((name) => /\.(conflist|conf)$/.test(name) && !name.startsWith(".")).sort()[0];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
