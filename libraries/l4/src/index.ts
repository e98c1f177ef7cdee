export type { AbortReason, ByteChannel, ByteConsumer, ChannelFault } from "./byte-channel.ts";
export { ChannelDuplex } from "./channel-duplex.ts";
export { createReadBuffer, type LentReader, lendReads } from "./lent-reads.ts";
export {
  createRelays,
  type RelayEnd,
  type RelayOptions,
  type RelayResult,
  type RelaySession,
  type Relays,
} from "./relay.ts";
export { streamChannel } from "./stream-channel.ts";
export { tcpChannel } from "./tcp-channel.ts";
