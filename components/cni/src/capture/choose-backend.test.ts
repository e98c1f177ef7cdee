import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseBackend } from "./choose-backend.ts";

const able = { features: [], ebpf: true, summary: "possible" };
const unable = { features: [], ebpf: false, summary: "this kernel lacks sk_lookup" };

const CASES = [
  { name: "auto on an able kernel", wanted: "auto", features: able, want: { kind: "ebpf" } },
  {
    name: "auto on another",
    wanted: "auto",
    features: unable,
    want: { kind: "nftables", why: unable.summary },
  },
  {
    name: "nftables as configured",
    wanted: "nftables",
    features: able,
    want: { kind: "nftables", why: "configured" },
  },
  {
    name: "ebpf where it cannot be",
    wanted: "ebpf",
    features: unable,
    want: { kind: "impossible", why: unable.summary },
  },
] as const;

for (const { name, wanted, features, want } of CASES)
  test(`chooseBackend: ${name}`, () => assert.deepEqual(chooseBackend(wanted, features), want));
