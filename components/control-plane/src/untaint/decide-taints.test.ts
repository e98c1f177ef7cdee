import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, Pod } from "@meltemi/kubernetes";
import { decideTaints, NOT_READY_TAINT } from "./decide-taints.ts";

const OTHER = { key: "dedicated", effect: "NoSchedule", value: "gpu" };
const NOT_READY = { key: NOT_READY_TAINT, effect: "NoSchedule" };
const node = (...taints: (typeof OTHER | typeof NOT_READY)[]): Node => ({ spec: { taints } });
const agent = (status: string, deletionTimestamp?: string): Pod => ({
  metadata: { ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
  status: { conditions: [{ type: "Ready", status }] },
});

const CASES = [
  { name: "its agent is ready", node: node(OTHER, NOT_READY), agents: [agent("True")], want: [OTHER] },
  {
    name: "of every effect",
    node: node(NOT_READY, { ...NOT_READY, effect: "NoExecute" }),
    agents: [agent("True")],
    want: [],
  },
  { name: "its agent is starting", node: node(NOT_READY), agents: [agent("False")], want: undefined },
  { name: "its agent is ending", node: node(NOT_READY), agents: [agent("True", "now")], want: undefined },
  {
    name: "the old agent is ending, the new one is ready",
    node: node(NOT_READY),
    agents: [agent("True", "now"), agent("True")],
    want: [],
  },
  { name: "no agent", node: node(NOT_READY), agents: [], want: undefined },
  { name: "an agent that says nothing yet", node: node(NOT_READY), agents: [{}], want: undefined },
  { name: "no such taint", node: node(OTHER), agents: [agent("True")], want: undefined },
  { name: "no taints", node: {}, agents: [agent("True")], want: undefined },
];
for (const { name, node: which, agents, want } of CASES)
  test(`decideTaints: ${name}`, () => assert.deepEqual(decideTaints(which, agents), want));
