/** How the plugin gets into, and out of, the node's CNI configuration (CNI specification 1.1.0, section 1). Pure. */

import {
  CONVERTED_FROM,
  COPIED_FROM,
  type ConfFile,
  type Fields,
  isConfName,
  listOfSingle,
  originOf,
  otherEntries,
  ownEntries,
  type ParsedConf,
  type PluginEntry,
  parseConf,
  renderConf,
  singleOfList,
} from "./conf-file.ts";

/** What is to be done to the folder, in this order: a runtime that looks in between finds a configuration that works. */
export interface ConfChanges {
  readonly write: readonly ConfFile[];
  readonly remove: readonly string[];
}

export type ChainDecision =
  | { readonly kind: "chained"; readonly name: string }
  | { readonly kind: "change"; readonly name: string; readonly changes: ConfChanges }
  /** Pods cannot be enrolled at their start until this changes. */
  | { readonly kind: "wait"; readonly why: string };

export interface ChainWish {
  /** The file to join; undefined: the one that the runtime uses. Its twin is meant too: a .conf becomes a .conflist here. */
  readonly confName: string | undefined;
  /**
   * A list of our own, a copy of theirs with our entry, whose name must stand before: a network plugin that writes its own file anew when
   * the node starts does not take us out, so no pod starts outside the mesh before we are back (Istio's istioOwnedCNIConfig).
   */
  readonly ownedName: string | undefined;
}

interface Known {
  readonly file: ConfFile;
  readonly conf: ParsedConf;
}

export function decideChain(files: readonly ConfFile[], entry: PluginEntry, wish: ChainWish): ChainDecision {
  const known = files
    .filter(({ name }) => isConfName(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map((file): Known => ({ file, conf: parseConf(file) }));
  const copies = known.filter(({ conf }) => originOf(conf, COPIED_FROM) !== undefined);
  const theirs = known.filter((each) => !copies.includes(each) && each.file.name !== wish.ownedName);
  const used = theirs.find(({ file }) => wish.confName === undefined || isMeant(file.name, wish.confName));
  if (used === undefined) return withoutTheirs(copies, wish);
  const { conf, file } = used;
  if (conf.kind === "bad") return wait(`${file.name}: ${conf.why}`);
  if (conf.kind === "list" && otherEntries(conf.plugins).length === 0)
    return wait(`${file.name}: expected a plugin that makes the pod's network`);
  return wish.ownedName === undefined
    ? join(used, conf, entry, copies)
    : own(used, conf, entry, { name: wish.ownedName, theirs, copies });
}

/** Their file is gone, or not there yet. Our copy of it keeps what it had: the runtime has a network meanwhile, and pods are enrolled. */
function withoutTheirs(copies: readonly Known[], { confName, ownedName }: ChainWish): ChainDecision {
  const copy = copies.find(({ file }) => file.name === ownedName);
  if (copy !== undefined) return { kind: "chained", name: copy.file.name };
  return wait(`expected ${confName ?? "a network configuration"}, found none`);
}

/** Ours comes last, when the pod's network is up. Other plugins' entries stay as they are, in their order. */
function join(
  { file }: Known,
  conf: Exclude<ParsedConf, { kind: "bad" }>,
  entry: PluginEntry,
  copies: readonly Known[],
): ChainDecision {
  const stale = copies.map((copy) => copy.file.name);
  if (conf.kind === "single") {
    const name = file.name.replace(/\.(conf|json)$/, ".conflist");
    const list = withEntry(listOfSingle(conf.document), { ...entry, [CONVERTED_FROM]: file.name });
    return {
      kind: "change",
      name,
      changes: { write: [renderConf(name, list)], remove: [file.name, ...stale] },
    };
  }
  const origin = originOf(conf, CONVERTED_FROM);
  const wanted = origin === undefined ? entry : { ...entry, [CONVERTED_FROM]: origin };
  const isThere = hasEntry(conf.plugins, wanted);
  if (isThere && stale.length === 0) return { kind: "chained", name: file.name };
  const write = isThere ? [] : [renderConf(file.name, withEntry(conf.document, wanted))];
  return { kind: "change", name: file.name, changes: { write, remove: stale } };
}

interface Ownership {
  readonly name: string;
  readonly theirs: readonly Known[];
  readonly copies: readonly Known[];
}

function own(
  { file }: Known,
  conf: Exclude<ParsedConf, { kind: "bad" }>,
  entry: PluginEntry,
  { name, theirs, copies }: Ownership,
): ChainDecision {
  const first = theirs[0]?.file.name ?? file.name;
  if (name >= first) return wait(`${name}: expected a name that stands before ${first}`);
  const document = conf.kind === "single" ? listOfSingle(conf.document) : conf.document;
  const list = renderConf(name, withEntry(document, { ...entry, [COPIED_FROM]: file.name }));
  const current = copies.find((copy) => copy.file.name === name);
  const stale = copies.filter((copy) => copy.file.name !== name).map((copy) => copy.file.name);
  // What an earlier configuration of ours put into theirs.
  const cleared = decideUnchain(theirs.map((each) => each.file));
  const changes = {
    write: [...(current?.file.text === list.text ? [] : [list]), ...cleared.write],
    remove: [...stale, ...cleared.remove],
  };
  if (changes.write.length === 0 && changes.remove.length === 0) return { kind: "chained", name };
  return { kind: "change", name, changes };
}

/** Every file as it was without us. */
export function decideUnchain(files: readonly ConfFile[]): ConfChanges {
  const write: ConfFile[] = [];
  const remove: string[] = [];
  for (const file of files.filter(({ name }) => isConfName(name))) {
    const conf = parseConf(file);
    if (conf.kind !== "list" || ownEntries(conf.plugins).length === 0) continue;
    const single = originOf(conf, CONVERTED_FROM);
    const rest = { ...conf.document, plugins: otherEntries(conf.plugins) };
    if (originOf(conf, COPIED_FROM) !== undefined || rest.plugins.length === 0) remove.push(file.name);
    else if (single !== undefined && rest.plugins.length === 1) {
      write.push(renderConf(single, singleOfList(rest)));
      remove.push(file.name);
    } else write.push(renderConf(file.name, rest));
  }
  return { write, remove };
}

/** A file by either of the two names that it can have. */
function isMeant(name: string, wanted: string): boolean {
  const stem = (text: string): string => text.replace(/\.(conflist|conf|json)$/, "");
  return name === wanted || stem(name) === stem(wanted);
}

function withEntry(document: Fields, entry: PluginEntry): Fields {
  const plugins = document["plugins"];
  return { ...document, plugins: [...otherEntries(Array.isArray(plugins) ? plugins : []), entry] };
}

/** Ours has no nested objects, and is written by us: the order of its fields is ours too. */
function hasEntry(plugins: readonly unknown[], entry: PluginEntry): boolean {
  const entries = ownEntries(plugins);
  const last = plugins.at(-1);
  return entries.length === 1 && last === entries[0] && JSON.stringify(last) === JSON.stringify(entry);
}

function wait(why: string): ChainDecision {
  return { kind: "wait", why };
}
