import { describe } from "node:test";
import { describeGateways } from "./ztunnel-gateways.contract.ts";

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeGateways(capture));
