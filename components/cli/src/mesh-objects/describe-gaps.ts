/** What is not known because the user may not read it, in sentences. Pure. */

import type { LoadedCluster } from "./load-cluster.ts";

/** None when all kinds were read; `namespace`: the one that the command is about. */
export function describeGaps(
  { forbidden, partial }: Pick<LoadedCluster, "forbidden" | "partial">,
  namespace: string,
): readonly string[] {
  const sentences: string[] = [];
  if (forbidden.length > 0)
    sentences.push(`you may not list ${forbidden.join(", ")}: nothing about them is known`);
  if (partial.length > 0)
    sentences.push(
      `outside namespace ${namespace} you may not list ${partial.join(", ")}: what other namespaces hold may look missing here`,
    );
  return sentences;
}
