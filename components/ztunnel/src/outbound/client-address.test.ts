import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { workload } from "@meltemi/testkit";
import { clientAddress } from "./client-address.ts";

const DUAL = workload({ addresses: [ip("10.0.0.1"), ip("fd00::1")] });
const CASES = [
  { name: "by netfilter", accepted: "10.0.0.1", to: "10.0.0.9", want: "10.0.0.1" },
  { name: "by eBPF, IPv4", accepted: "127.0.0.1", to: "10.0.0.9", want: "10.0.0.1" },
  { name: "by eBPF, IPv6", accepted: "::1", to: "fd00::9", want: "fd00::1" },
  { name: "straight to our listener", accepted: "127.0.0.1", to: "127.0.0.1", want: "127.0.0.1" },
  { name: "no address of the family", accepted: "::1", to: "fd00::9", source: workload(), want: "::1" },
  {
    name: "no address at all",
    accepted: "127.0.0.1",
    to: "10.0.0.9",
    source: workload({ addresses: [] }),
    want: "127.0.0.1",
  },
];

for (const { name, accepted, to, source = DUAL, want } of CASES)
  test(`client address: ${name}`, () =>
    assert.deepEqual(clientAddress({ ip: ip(accepted), port: 4000 }, source, { ip: ip(to), port: 80 }), {
      ip: ip(want),
      port: 4000,
    }));
