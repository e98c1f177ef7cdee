/** What everything on one node shares. */

import type { ConfigMap, Informer, KubernetesClient, Pod, Secret } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import type { BackoffOptions, Clock, Logger } from "@meltemi/runtime";
import type { AddressPool, NodePlan } from "../network/addresses.ts";
import type { PluginChain } from "./cni/chain.ts";
import type { NodeCapacity } from "./container/downward.ts";
import type { ImageCatalogue } from "./container/image.ts";
import type { EventRecorder } from "./events.ts";
import type { NodeFolders } from "./volumes/host-path.ts";

export interface NodeContext {
  readonly cluster: string;
  readonly plan: NodePlan;
  /** Path of the node's network namespace, and a handle on it. */
  readonly namespacePath: string;
  readonly netns: NetworkNamespace;
  readonly folders: NodeFolders;
  /** Holds a folder per pod. */
  readonly podsFolder: string;
  /** The cluster's folder in the cgroup2 file system. */
  readonly cgroupFolder: string;
  /** Folders of the machine that containers must not see: the state of this and other clusters, with its keys. */
  readonly hiddenFolders: readonly string[];
  readonly projectFolder: string;
  /** The Node that programs of the project run on. */
  readonly nodeProgram: string;
  readonly images: ImageCatalogue;
  /** Other disks of the machine, which the root's overlay does not show by itself. */
  readonly disks: readonly string[];
  readonly capacity: NodeCapacity;
  readonly restartBackoff: BackoffOptions;
  readonly client: KubernetesClient;
  readonly configMaps: Informer<ConfigMap>;
  readonly secrets: Informer<Secret>;
  readonly pods: Informer<Pod>;
  readonly addresses: AddressPool;
  readonly plugins: PluginChain;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}
