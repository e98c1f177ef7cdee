/** Short, stable names for pod templates: what `pod-template-hash` and `controller-revision-hash` carry. */

import type { PodTemplateSpec } from "kubernetes-types/core/v1.js";

export const POD_TEMPLATE_HASH = "pod-template-hash";

/** Without vowels and look-alikes, as Kubernetes' own: no bad words in names. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** Hash of a template. `collisions` changes it when two templates met on one name. */
export function templateHash(template: PodTemplateSpec | undefined, collisions: number): string {
  return shortHash(`${canonical(template)}#${collisions}`);
}

/** Ten characters that depend on the text alone. */
export function shortHash(text: string): string {
  // Two 32-bit FNV-1a sums with different starts: names must differ, not resist an attacker.
  const digits = `${fnv(text, 0x811c9dc5)}${fnv(text, 0x01234567)}`;
  let name = "";
  for (let index = 0; index < 10; index++) {
    const pair = Number(digits.slice(index * 2, index * 2 + 2).padEnd(2, "0"));
    name += ALPHABET[pair % ALPHABET.length] ?? "";
  }
  return name;
}

function fnv(text: string, start: number): string {
  let sum = start;
  for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193);
  return String(sum >>> 0).padStart(10, "0");
}

/** Same template, the hash label that the controller adds left out. */
export function isSameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec | undefined {
  if (template?.metadata?.labels === undefined) return template;
  const { [POD_TEMPLATE_HASH]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** JSON with sorted keys; empty objects, nulls and absent fields are alike. */
export function canonical(value: unknown): string {
  return JSON.stringify(sorted(value)) ?? "";
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value ?? undefined;
  const entries = Object.entries(value)
    .map(([name, inner]) => [name, sorted(inner)] as const)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
