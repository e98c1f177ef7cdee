/** Builders of observed objects for the tables here: sane defaults, one thing said per row. */

import type { Node, Pod } from "@meltemi/kubernetes";

/** The moment at which all tables are looked at. */
export const NOW_MS: number = Date.UTC(2026, 0, 1, 12);
export const NOW = "2026-01-01T12:00:00Z";

export interface PodOptions {
  readonly name: string;
  readonly namespace?: string;
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `uid` of the controller; its kind defaults to ReplicaSet. */
  readonly owner?: { readonly uid: string; readonly kind?: string };
  readonly ready?: boolean;
  readonly readySince?: string;
  readonly phase?: string;
  readonly terminating?: boolean;
  readonly ips?: readonly string[];
  readonly created?: string;
  readonly spec?: Partial<NonNullable<Pod["spec"]>>;
}

export function podOf(options: PodOptions): Pod {
  const { name, owner, node, ips = [] } = options;
  const ownerReferences =
    owner === undefined
      ? undefined
      : [
          {
            apiVersion: "apps/v1",
            kind: owner.kind ?? "ReplicaSet",
            name: "owner",
            uid: owner.uid,
            controller: true,
          },
        ];
  return {
    metadata: {
      name,
      namespace: options.namespace ?? "default",
      uid: name,
      resourceVersion: "1",
      creationTimestamp: options.created ?? "2026-01-01T00:00:00Z",
      ...(options.labels === undefined ? {} : { labels: options.labels }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(options.terminating === true ? { deletionTimestamp: NOW } : {}),
    },
    spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }), ...options.spec },
    status: {
      phase: options.phase ?? "Running",
      podIPs: ips.map((ip) => ({ ip })),
      conditions: [
        {
          type: "Ready",
          status: options.ready === false ? "False" : "True",
          lastTransitionTime: options.readySince ?? "2026-01-01T00:00:00Z",
        },
      ],
    },
  };
}

export interface NodeOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly taints?: NonNullable<NonNullable<Node["spec"]>["taints"]>;
  readonly unschedulable?: boolean;
  readonly ready?: string;
  readonly pods?: string;
}

export function nodeOf(name: string, options: NodeOptions = {}): Node {
  return {
    metadata: {
      name,
      uid: name,
      resourceVersion: "1",
      labels: { "kubernetes.io/hostname": name, ...options.labels },
    },
    spec: {
      ...(options.taints === undefined ? {} : { taints: options.taints }),
      ...(options.unschedulable === undefined ? {} : { unschedulable: options.unschedulable }),
    },
    status: {
      conditions: [{ type: "Ready", status: options.ready ?? "True" }],
      ...(options.pods === undefined ? {} : { allocatable: { pods: options.pods } }),
    },
  };
}
