import type { Hash64, PickRequest } from "./endpoint.ts";

/** Where the request belongs; anywhere, by chance, when it lacks the key. */
export function hashOf({ hash, random }: PickRequest): Hash64 {
  if (hash !== undefined) return hash;
  return { high: Math.floor(random() * 0x100000000), low: Math.floor(random() * 0x100000000) };
}
