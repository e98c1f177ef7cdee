/** Who would be left without a control plane when a revision goes. Pure. */

import { printable } from "../output/printable.ts";
import type { Tag } from "../tag/tags.ts";

/** As many as Istio lists. */
const MAX_NAMES = 30;

/** `names` of proxies, `<pod>.<namespace>`; each has gone through one replica of the control plane. */
export function renderDetached(names: readonly string[], revision: string): readonly string[] {
  const proxies = [...new Set(names)].sort();
  if (proxies.length === 0) return [];
  const many = proxies.length === 1 ? "There is still 1 proxy" : `There are still ${proxies.length} proxies`;
  const more = proxies.length - MAX_NAMES;
  return [
    `${many} pointing to the control plane revision ${revision}:`,
    ...proxies.slice(0, MAX_NAMES).map((name) => `  ${printable(name)}`),
    ...(more > 0 ? [`  … and ${more} more`] : []),
    "If you proceed with the uninstall, these proxies will become detached from any control plane and will not function correctly.",
  ];
}

/** Names that stand for it, and lead nowhere afterwards. */
export function renderTags(tags: readonly Tag[], revision: string): readonly string[] {
  const own = tags.filter((tag) => tag.revision === revision).map(({ tag }) => tag);
  if (own.length === 0) return [];
  return [
    `Revision tags that stand for ${revision}: ${own.join(", ")}. Let them stand for another first: istioctl tag set <tag> --revision <other> --overwrite`,
  ];
}
