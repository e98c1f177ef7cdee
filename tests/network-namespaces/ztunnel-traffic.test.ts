import { describeTraffic } from "./ztunnel-traffic.contract.ts";

describeTraffic("ebpf");
describeTraffic("nftables");
