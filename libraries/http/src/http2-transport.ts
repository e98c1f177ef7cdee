/** HTTP/2 without requests: for what is carried on its streams instead, such as the tunnels of HBONE. */
export { FieldKind, type HeaderEntry } from "./hpack/header-entry.ts";
export { Http2Connection } from "./http2/connection.ts";
export {
  CLIENT_PREFACE,
  type ConnectionError,
  ErrorCode,
  errorCodeName,
  Flag,
  FrameType,
  Setting,
} from "./http2/constants.ts";
export type { Http2Options } from "./http2/options.ts";
export { type Batch, BatchBuffers, Outbox } from "./http2/outbox.ts";
export type { ConnectionEvents, Http2Role } from "./http2/receiver-host.ts";
export { Http2Stream } from "./http2/stream.ts";
export type { HeadVerdict, StreamHost } from "./http2/stream-host.ts";
