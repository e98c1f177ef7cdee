import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseBackend } from "./choose-backend.ts";

const able = { ebpf: true, summary: "possible" };
const unable = { ebpf: false, summary: "this kernel lacks sk_lookup" };

const CASES = [
  { name: "auto on an able kernel", wanted: "auto", report: able, want: { kind: "ebpf" } },
  {
    name: "auto on another kernel falls back, saying why",
    wanted: "auto",
    report: unable,
    want: { kind: "nftables", warning: unable.summary },
  },
  {
    name: "nftables as configured",
    wanted: "nftables",
    report: able,
    want: { kind: "nftables", warning: undefined },
  },
  {
    name: "ebpf where it cannot be is refused",
    wanted: "ebpf",
    report: unable,
    want: { kind: "impossible", why: `CAPTURE_BACKEND=ebpf: ${unable.summary}` },
  },
] as const;

for (const { name, wanted, report, want } of CASES)
  test(`chooseBackend: ${name}`, () =>
    assert.deepEqual(
      chooseBackend(wanted, () => report),
      want,
    ));
