import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, Pod } from "@meltemi/kubernetes";
import { decideSchedule } from "./decide-schedule.ts";
import { nodeOf, type PodOptions, podOf } from "./objects.testing.ts";

type Spec = NonNullable<Pod["spec"]>;

const labels = { app: "a" };
const selector = { labelSelector: { matchLabels: labels }, topologyKey: "kubernetes.io/hostname" };
const waiting = (spec: Partial<Spec> = {}, options: Partial<PodOptions> = {}): Pod =>
  podOf({ name: "p", labels, spec, ...options });
const placed = (name: string, node: string, options: Partial<PodOptions> = {}): Pod =>
  podOf({ name, node, ...options });
const requiredTerm = (key: string, values: readonly string[]): Partial<Spec> => ({
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchFields: [{ key, operator: "In", values: [...values] }] }],
      },
    },
  },
});
const spread = (whenUnsatisfiable: string): Partial<Spec> => ({
  topologySpreadConstraints: [{ ...selector, maxSkew: 1, whenUnsatisfiable }],
});
const hostPort = { containers: [{ name: "c", ports: [{ containerPort: 80, hostPort: 80 }] }] };
const two = [nodeOf("n1"), nodeOf("n2")];
const special = [{ key: "special", value: "x", effect: "NoSchedule" }];
const soft = [{ key: "special", effect: "PreferNoSchedule" }];

const cases: readonly {
  name: string;
  pod: Pod;
  nodes: readonly Node[];
  placed?: readonly Pod[];
  want: string;
}[] = [
  { name: "the emptier node", pod: waiting(), nodes: two, placed: [placed("a", "n1")], want: "n2" },
  {
    name: "finished pods take no place",
    pod: waiting(),
    nodes: two,
    placed: [placed("a", "n1", { phase: "Succeeded" })],
    want: "n1",
  },
  { name: "of equals the first by name", pod: waiting(), nodes: [nodeOf("n2"), nodeOf("n1")], want: "n1" },
  {
    name: "a node selector",
    pod: waiting({ nodeSelector: { disk: "fast" } }),
    nodes: [nodeOf("n1"), nodeOf("n2", { labels: { disk: "fast" } })],
    want: "n2",
  },
  { name: "pinned by name", pod: waiting(requiredTerm("metadata.name", ["n2"])), nodes: two, want: "n2" },
  {
    name: "a taint that is tolerated",
    pod: waiting({ tolerations: [{ key: "special", operator: "Exists" }] }),
    nodes: [nodeOf("n1", { taints: special })],
    want: "n1",
  },
  {
    name: "a toleration of another value",
    pod: waiting({ tolerations: [{ key: "special", value: "y" }] }),
    nodes: [nodeOf("n1", { taints: special })],
    want: "0/1 nodes are available: 1 node(s) had untolerated taint {special: x}.",
  },
  {
    name: "a soft taint is avoided",
    pod: waiting(),
    nodes: [nodeOf("n1", { taints: soft }), nodeOf("n2")],
    placed: [placed("a", "n2"), placed("b", "n2")],
    want: "n2",
  },
  {
    name: "a soft taint is taken when nothing else is left",
    pod: waiting(),
    nodes: [nodeOf("n1", { taints: soft })],
    want: "n1",
  },
  {
    name: "unschedulable",
    pod: waiting(),
    nodes: [nodeOf("n1", { unschedulable: true })],
    want: "0/1 nodes are available: 1 node(s) were unschedulable.",
  },
  {
    name: "full",
    pod: waiting(),
    nodes: [nodeOf("n1", { pods: "1" })],
    placed: [placed("a", "n1")],
    want: "0/1 nodes are available: 1 Too many pods.",
  },
  {
    name: "a host port that is taken",
    pod: waiting(hostPort),
    nodes: two,
    placed: [placed("a", "n1", { spec: hostPort })],
    want: "n2",
  },
  { name: "no nodes", pod: waiting(), nodes: [], want: "0/0 nodes are available." },
  {
    name: "reasons are counted",
    pod: waiting({ nodeSelector: { disk: "fast" } }),
    nodes: [nodeOf("n1"), nodeOf("n2"), nodeOf("n3", { unschedulable: true })],
    want: "0/3 nodes are available: 1 node(s) were unschedulable, 2 node(s) didn't match Pod's node affinity/selector.",
  },
  {
    name: "anti-affinity that is required",
    pod: waiting({
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selector] } },
    }),
    nodes: two,
    placed: [placed("a", "n1", { labels }), placed("b", "n2"), placed("c", "n2")],
    want: "n2",
  },
  {
    name: "anti-affinity that cannot be met",
    pod: waiting({
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selector] } },
    }),
    nodes: [nodeOf("n1")],
    placed: [placed("a", "n1", { labels })],
    want: "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.",
  },
  {
    name: "anti-affinity that is preferred",
    pod: waiting({
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: selector }],
        },
      },
    }),
    nodes: two,
    placed: [placed("a", "n1", { labels }), placed("b", "n2"), placed("c", "n2"), placed("d", "n2")],
    want: "n2",
  },
  {
    name: "affinity",
    pod: waiting({
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selector] } },
    }),
    nodes: two,
    placed: [placed("a", "n2", { labels })],
    want: "n2",
  },
  {
    name: "affinity of the first of its group to itself",
    pod: waiting({
      affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [selector] } },
    }),
    nodes: two,
    want: "n1",
  },
  {
    name: "spread that must hold",
    pod: waiting(spread("DoNotSchedule")),
    nodes: two,
    placed: [placed("a", "n1", { labels }), ...[1, 2, 3].map((i) => placed(`b${i}`, "n2"))],
    want: "n2",
  },
  {
    name: "spread that may break",
    pod: waiting(spread("ScheduleAnyway")),
    nodes: [nodeOf("n1")],
    placed: [placed("a", "n1", { labels })],
    want: "n1",
  },
  {
    name: "pods of one controller part",
    pod: waiting({}, { owner: { uid: "s" } }),
    nodes: two,
    placed: [placed("a", "n1", { owner: { uid: "s" } }), placed("b", "n2"), placed("c", "n2")],
    want: "n2",
  },
];
for (const c of cases) {
  test(`decideSchedule: ${c.name}`, () => {
    const placement = decideSchedule({ pod: c.pod, nodes: c.nodes, placed: c.placed ?? [] });
    assert.equal(placement.kind === "node" ? placement.name : placement.message, c.want);
  });
}
