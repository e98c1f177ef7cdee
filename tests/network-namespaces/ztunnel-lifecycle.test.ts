import { describe } from "node:test";
import { describeLifecycle } from "./ztunnel-lifecycle.contract.ts";

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeLifecycle(capture));
