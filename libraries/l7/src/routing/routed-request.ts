/** A request as routes look at it: what several of them ask is worked out once, and only when asked. */

import type { HeaderFields } from "@meltemi/http";
import type { Caller, RequestContext } from "../request-context.ts";
import { toLowerAscii } from "../text/wire-text.ts";
import { queryParameter, queryParameters } from "./query.ts";

export class RoutedRequest {
  /** Without query. */
  readonly path: string;
  readonly method: string;
  readonly scheme: string;
  readonly caller: Caller;
  readonly headers: HeaderFields;
  readonly #authority: string;
  /** With query. */
  readonly #target: string;
  #lowerAuthority: string | undefined;
  #lowerPath: string | undefined;
  #queryParameters: ReadonlyMap<string, string> | undefined;

  constructor(context: RequestContext) {
    const { request } = context;
    this.path = context.path;
    this.method = request.method;
    this.scheme = request.scheme;
    this.caller = context.caller;
    this.headers = request.headers;
    this.#authority = request.authority;
    this.#target = request.path;
  }

  get authority(): string {
    return this.#authority;
  }

  get target(): string {
    return this.#target;
  }

  get lowerAuthority(): string {
    this.#lowerAuthority ??= toLowerAscii(this.#authority);
    return this.#lowerAuthority;
  }

  get lowerPath(): string {
    this.#lowerPath ??= toLowerAscii(this.path);
    return this.#lowerPath;
  }

  /** All values as one, as Envoy compares them; pseudo names stand for parts of the request line. */
  header(name: string): string | undefined {
    if (name.charCodeAt(0) !== 0x3a && name !== "host") return this.headers.joined(name);
    switch (name) {
      case ":method":
        return this.method;
      case ":scheme":
        return this.scheme;
      case ":path":
        return this.#target;
      case ":authority":
      case "host":
        return this.#authority;
      default:
        return undefined;
    }
  }

  queryParameter(name: string): string | undefined {
    return queryParameter(this.#target, name);
  }

  get queryParameters(): ReadonlyMap<string, string> {
    this.#queryParameters ??= queryParameters(this.#target);
    return this.#queryParameters;
  }
}
