/** Which version a pod runs, by its image. Pure. */

import type { Pod } from "@meltemi/kubernetes";

/** Tag of the first container's image; `unknown` for one that is named by digest alone. */
export function versionOf(pod: Pick<Pod, "spec">): string {
  const image = pod.spec?.containers[0]?.image ?? "";
  const name = image.slice(image.lastIndexOf("/") + 1).replace(/@.*$/, "");
  const colon = name.indexOf(":");
  return colon < 0 ? "unknown" : name.slice(colon + 1);
}
