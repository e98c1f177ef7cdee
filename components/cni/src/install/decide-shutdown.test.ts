import assert from "node:assert/strict";
import { test } from "node:test";
import { type DaemonSetAnswer, decideShutdown } from "./decide-shutdown.ts";

const found: DaemonSetAnswer = { kind: "found", daemonSet: {} };
const going: DaemonSetAnswer = {
  kind: "found",
  daemonSet: { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } },
};
const CASES = [
  { name: "an upgrade", atStart: "found", now: found, want: "leave-in-place" },
  { name: "a deletion under way", atStart: "found", now: going, want: "uninstall" },
  { name: "a deletion that is done", atStart: "found", now: { kind: "absent" }, want: "uninstall" },
  { name: "rights taken away", atStart: "found", now: { kind: "forbidden" }, want: "uninstall" },
  { name: "rights never given", atStart: "forbidden", now: { kind: "forbidden" }, want: "leave-in-place" },
  { name: "rights never known", atStart: "unknown", now: { kind: "forbidden" }, want: "leave-in-place" },
  { name: "no answer", atStart: "found", now: { kind: "unknown", why: "timeout" }, want: "leave-in-place" },
] as const;
for (const { name, atStart, now, want } of CASES)
  test(`decideShutdown: ${name}`, () => assert.equal(decideShutdown(atStart, now).kind, want));
