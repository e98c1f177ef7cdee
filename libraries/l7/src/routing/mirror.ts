/** Copies of requests (reference: l7-and-cli §2.4 `mirrors`). */

import type { Mirror } from "@meltemi/model/l7";
import { happens } from "./chance.ts";

const NO_MIRRORS: readonly Mirror[] = [];

/** Those that get a copy of this request; each is drawn on its own. */
export function decideMirrors(mirrors: readonly Mirror[], random: () => number): readonly Mirror[] {
  if (mirrors.length === 0) return NO_MIRRORS;
  return mirrors.filter(({ percent }) => happens(percent, random));
}

/** Host of the copy, by which its receiver can tell it: `reviews:9080` → `reviews-shadow:9080`. */
export function shadowAuthority(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const hasPort = colon > 0 && (authority.indexOf(":") === colon || authority.charAt(colon - 1) === "]");
  return hasPort ? `${authority.slice(0, colon)}-shadow${authority.slice(colon)}` : `${authority}-shadow`;
}
