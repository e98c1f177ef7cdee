export type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";
export type { RelayEnd, RelayOptions, RelayResult, RelaySession } from "./relay.ts";
