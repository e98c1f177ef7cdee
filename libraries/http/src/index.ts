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
