export type {
  BodyReceiver,
  ClientConnection,
  ClientConnectionOwner,
  ClientExchange,
  HttpAbort,
  HttpFault,
  HttpVersion,
  RequestHead,
  ResponseHead,
  ResponseReceiver,
  ServerConnection,
  ServerConnectionOwner,
  ServerExchange,
} from "./exchange.ts";
export { HeaderFields } from "./headers.ts";
export { createHttp1Client, HTTP1_CLIENT_DEFAULTS } from "./http1/client.ts";
export type { Http1ClientOptions } from "./http1/client-connection.ts";
export type { Http1ConnectionDeps } from "./http1/connection.ts";
export { DEFAULT_HTTP1_LIMITS, type Http1Limits } from "./http1/limits.ts";
export {
  createHttp1Server,
  HTTP1_SERVER_DEFAULTS,
  type Http1Server,
  type Http1ServerChannel,
} from "./http1/server.ts";
export type { Http1ServerOptions } from "./http1/server-connection.ts";
export type { Http2End } from "./http2/channel-connection.ts";
export {
  createHttp2Client,
  type Http2ClientConnection,
  type Http2ClientDeps,
} from "./http2/client.ts";
export { CLIENT_PREFACE } from "./http2/constants.ts";
export {
  HTTP2_CLIENT_DEFAULTS,
  HTTP2_SERVER_DEFAULTS,
  type Http2ConnectionOptions,
} from "./http2/options.ts";
export {
  createHttp2Server,
  type Http2Server,
  type Http2ServerChannel,
  type Http2ServerDeps,
} from "./http2/server.ts";
export { type Sniffed, sniff } from "./sniff.ts";
export { type SniffOptions, type SniffOwner, type SniffResult, sniffChannel } from "./sniff-channel.ts";
