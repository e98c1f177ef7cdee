import { describe } from "node:test";
import { describeRequiredWaypoint } from "./ztunnel-waypoint.contract.ts";

for (const capture of ["ebpf", "nftables"] as const)
  describe(capture, () => describeRequiredWaypoint(capture));
