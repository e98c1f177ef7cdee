import { describeLifecycle } from "./ztunnel-lifecycle.contract.ts";

describeLifecycle("ebpf");
describeLifecycle("nftables");
