/** One YAML document: what its aliases stand for, and where in the text a field is. */

import type { Finding, Path } from "@meltemi/validation";
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  type Scalar,
  visit,
  type YAMLMap,
} from "yaml";

/** Both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

interface Child {
  readonly key: unknown;
  readonly value: unknown;
}

export class SourceDocument {
  readonly #document: Document.Parsed;
  readonly #positionAt: (offset: number) => Position;
  #targets: ReadonlyMap<Alias, Node> | undefined;

  constructor(document: Document.Parsed, positionAt: (offset: number) => Position) {
    this.#document = document;
    this.#positionAt = positionAt;
  }

  get contents(): Node | null {
    return this.#document.contents;
  }

  /** The node itself, or the one its alias stands for; undefined for an alias of nothing. */
  resolve(node: unknown): unknown {
    if (!isAlias(node)) return node;
    this.#targets ??= aliasTargets(this.#document);
    return this.#targets.get(node);
  }

  /** Where `path` is; for a field that is missing, where its nearest ancestor is. */
  positionOf(path: Path, at: Finding["at"]): Position {
    let node: unknown = this.#document.contents;
    let offset = startOf(node) ?? this.#document.range[0];
    for (const [index, step] of path.entries()) {
      const found = this.#child(node, step);
      if (found === undefined) break;
      node = found.value;
      const wanted = index === path.length - 1 && at === "value" ? [node, found.key] : [found.key, node];
      offset = startOf(wanted[0]) ?? startOf(wanted[1]) ?? offset;
    }
    return this.#positionAt(offset);
  }

  #child(parent: unknown, step: string | number): Child | undefined {
    const node = this.resolve(parent);
    if (isSeq(node)) {
      const item = typeof step === "number" ? node.items[step] : undefined;
      return item === undefined ? undefined : { key: item, value: item };
    }
    if (!isMap(node)) return undefined;
    return pairOf(node, step) ?? this.#mergedChild(node, step);
  }

  /** One level: what a merged map merges itself is not looked into. */
  #mergedChild(node: YAMLMap, step: string | number): Child | undefined {
    for (const { value } of node.items.filter(isMerge)) {
      const source = this.resolve(value);
      for (const map of isSeq(source) ? source.items.map((item) => this.resolve(item)) : [source]) {
        const pair = isMap(map) ? pairOf(map, step) : undefined;
        if (pair !== undefined) return pair;
      }
    }
    return undefined;
  }
}

/** `<<: *other` (yaml.org/type/merge.html), as kubectl reads it. */
export function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN";
}

/** YAML 1.1 has more words for true and false, and kubectl reads them so. Undefined for any other scalar. */
export function oldBoolean(scalar: Scalar): boolean | undefined {
  if (scalar.type !== "PLAIN" || scalar.tag !== undefined || typeof scalar.value !== "string")
    return undefined;
  if (/^(?:y|Y|yes|Yes|YES|on|On|ON)$/.test(scalar.value)) return true;
  return /^(?:n|N|no|No|NO|off|Off|OFF)$/.test(scalar.value) ? false : undefined;
}

/** The text of a key, as the API server gets it. */
export function keyText(key: Scalar): string {
  return String(oldBoolean(key) ?? key.value);
}

/** The last of two equal keys is the one that counts. */
function pairOf(map: YAMLMap, step: string | number): Child | undefined {
  return map.items.findLast((pair) => isScalar(pair.key) && keyText(pair.key) === step);
}

function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node.range?.[0] ?? undefined) : undefined;
}

/** In one walk: asked one by one, each alias costs a walk of the whole document. An anchor counts from where it stands. */
function aliasTargets(document: Document): ReadonlyMap<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return targets;
}
