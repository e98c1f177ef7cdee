import { describeGateways } from "./ztunnel-gateways.contract.ts";

describeGateways("ebpf");
describeGateways("nftables");
