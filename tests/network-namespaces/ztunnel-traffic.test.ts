import { describe } from "node:test";
import { describeTraffic } from "./ztunnel-traffic.contract.ts";

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeTraffic(capture));
