/** Command operators that read heads: `REQ`, `RESP`, `TRAILER`, with an alternative behind a question mark. */

import type { RequestRecord } from "../../proxy/request-record.ts";
import type { LogValue } from "./operators.ts";

type FromRequest = (record: RequestRecord) => LogValue;

const HEADER_NAME = /^:?[a-z0-9!#$%&'*+.^_`|~-]+$/;

/** Lower-case names; undefined for what is neither one nor two of them. */
export function alternatives(argument: string): readonly [first: string, second?: string] | undefined {
  const names = argument.toLowerCase().split("?");
  const [first, second] = names;
  if (first === undefined || names.length > 2 || !names.every((name) => HEADER_NAME.test(name)))
    return undefined;
  return second === undefined ? [first] : [first, second];
}

export function requestHeader(name: string): FromRequest {
  switch (name) {
    case ":method":
      return ({ context }) => context.request.method;
    case ":path":
      return ({ context }) => context.request.path;
    case ":authority":
    case "host":
      return ({ context }) => context.request.authority || undefined;
    case ":scheme":
      return ({ context }) => context.request.scheme;
    default:
      return ({ context }) => context.request.headers.get(name);
  }
}

export function responseHeader(name: string): FromRequest {
  if (name === ":status") return ({ responseCode }) => responseCode || undefined;
  return ({ responseHeaders }) => responseHeaders?.get(name);
}

export function responseTrailer(name: string): FromRequest {
  return ({ responseTrailers }) => responseTrailers?.get(name);
}
