/** All pages of docs/reference. */

import { commandLinePage } from "./command-line.ts";
import { environmentPage } from "./environment.ts";
import { helmValuesPage } from "./helm-values.ts";
import { labelsPage } from "./labels.ts";
import { metricsPage } from "./metrics.ts";
import { resourcesPage } from "./resources.ts";

/** Path in the repository → text. */
export function referencePages(): ReadonlyMap<string, string> {
  const pages = {
    cli: commandLinePage(),
    environment: environmentPage(),
    "helm-values": helmValuesPage(),
    "labels-and-annotations": labelsPage(),
    metrics: metricsPage(),
    resources: resourcesPage(),
  };
  return new Map(Object.entries(pages).map(([name, text]) => [`docs/reference/${name}.md`, text]));
}
