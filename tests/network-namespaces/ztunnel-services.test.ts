import { describe } from "node:test";
import { describeServices } from "./ztunnel-services.contract.ts";

for (const capture of ["ebpf", "nftables"] as const) describe(capture, () => describeServices(capture));
