/** What an analyzer is: a function from objects to messages, with a name for `--analyzer` and `--list-analyzers`. */

import type { ObjectSet } from "../mesh-objects/object-set.ts";
import type { Message } from "./message.ts";

export interface AnalysisContext {
  readonly objects: ObjectSet;
  /** Of the control plane: its policies are the mesh's. */
  readonly rootNamespace: string;
  /** What runs is known: without it, nothing is missing only because it is not in the files. */
  readonly hasCluster: boolean;
}

export interface Analyzer {
  readonly name: string;
  readonly about: string;
  readonly analyze: (context: AnalysisContext) => Iterable<Message>;
}

/** Namespaces of Kubernetes and of the mesh itself are nobody's workloads. */
export function isSystemNamespace(name: string, { rootNamespace }: AnalysisContext): boolean {
  return name.startsWith("kube-") || name === rootNamespace || name === "local-path-storage";
}
