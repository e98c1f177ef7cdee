/** A YAML document as the value that kubectl would send, with what is dubious about how it is written. */

import type { Findings, Path } from "@meltemi/validation";
import { isAlias, isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap } from "yaml";
import { isMerge, keyText, oldBoolean, type SourceDocument } from "./source-document.ts";

/** Values after the expansion of aliases: nine lines of aliases of aliases can stand for billions. */
const MAX_VALUES = 200_000;

type Fields = Record<string, unknown>;

/** Undefined when the document holds more than can be looked at; `findings` says so. */
export function plainValue(source: SourceDocument, findings: Findings): unknown {
  const reader = new PlainReader(source, findings);
  const value = reader.read(source.contents, []);
  return reader.gaveUp ? undefined : value;
}

class PlainReader {
  gaveUp = false;
  readonly #source: SourceDocument;
  readonly #findings: Findings;
  /** Nodes being read now: an alias to one of them has no end. */
  readonly #open = new Set<unknown>();
  #values = 0;

  constructor(source: SourceDocument, findings: Findings) {
    this.#source = source;
    this.#findings = findings;
  }

  read(node: unknown, path: Path): unknown {
    if (this.gaveUp) return undefined;
    if (++this.#values > MAX_VALUES) return this.#giveUp(path);
    const target = this.#source.resolve(node);
    if (isAlias(node) && target === undefined) {
      this.#findings.error(path, `YAML: there is no anchor &${node.source} before this alias`);
      return null;
    }
    if (isScalar(target)) return this.#scalar(target, path);
    if (!isMap(target) && !isSeq(target)) return null;
    if (this.#open.has(target)) {
      this.#findings.error(
        path,
        "YAML: expected an alias of something else, got one of the value it is part of",
      );
      return null;
    }
    this.#open.add(target);
    const value = isMap(target)
      ? this.#map(target, path)
      : target.items.map((item, index) => this.read(item, [...path, index]));
    this.#open.delete(target);
    return value;
  }

  #giveUp(path: Path): undefined {
    this.gaveUp = true;
    this.#findings.error(path.slice(0, 2), `YAML: expected at most ${MAX_VALUES} values, aliases expanded`);
    return undefined;
  }

  #scalar(scalar: Scalar, path: Path): unknown {
    const flag = oldBoolean(scalar);
    if (flag !== undefined) {
      this.#findings.warn(
        path,
        `${scalar.value} is read as ${flag} by kubectl (YAML 1.1): write ${flag}, or quote it`,
      );
      return flag;
    }
    if (scalar.type === "PLAIN" && /^[-+]?0\d+$/.test(scalar.source ?? ""))
      this.#findings.warn(
        path,
        `${scalar.source} is read as an octal number by kubectl (YAML 1.1): quote it if it is text`,
      );
    const { value } = scalar;
    // Dates and the like exist only where a %YAML 1.1 directive or a tag asks for them; JSON has none.
    return value === null || ["string", "number", "boolean"].includes(typeof value) ? value : String(value);
  }

  #map(map: YAMLMap, path: Path): Fields {
    const fields: Fields = Object.create(null);
    const seen = new Set<string>();
    for (const pair of map.items) {
      if (this.gaveUp) return fields;
      if (isMerge(pair)) continue;
      const name = this.#name(pair, path);
      if (name === undefined) continue;
      if (seen.has(name))
        this.#findings.error([...path, name], "expected each field once, got it again", "key");
      seen.add(name);
      fields[name] = this.read(pair.value, [...path, name]);
    }
    for (const pair of map.items.filter(isMerge)) this.#merge(pair, fields, path);
    return fields;
  }

  #name(pair: Pair, path: Path): string | undefined {
    const key = this.#source.resolve(pair.key);
    if (!isScalar(key)) {
      this.#findings.error(path, "expected names of fields as text, got a list or a map");
      return undefined;
    }
    const name = keyText(key);
    if (oldBoolean(key) !== undefined)
      this.#findings.warn(
        [...path, name],
        `the name ${key.value} is read as ${name} by kubectl (YAML 1.1): quote it`,
        "key",
      );
    return name;
  }

  /** What the map says itself wins over what it merges. */
  #merge(pair: Pair, fields: Fields, path: Path): void {
    const merged = this.read(pair.value, path);
    for (const each of Array.isArray(merged) ? (merged as readonly unknown[]) : [merged]) {
      if (typeof each !== "object" || each === null || Array.isArray(each)) {
        if (!this.gaveUp) this.#findings.error(path, "YAML: expected << to merge a map");
        continue;
      }
      for (const [name, value] of Object.entries(each))
        if (!Object.hasOwn(fields, name)) fields[name] = value;
    }
  }
}
