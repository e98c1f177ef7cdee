import { describe } from "node:test";
import { describeHostile } from "./ztunnel-hostile.contract.ts";

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeHostile(capture));
