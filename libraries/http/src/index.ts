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
  ServerExchange,
} from "./exchange.ts";
export { HeaderFields } from "./headers.ts";
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
  type Http2ServerDeps,
} from "./http2/server.ts";
