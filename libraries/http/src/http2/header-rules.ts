/** Which header lists are well formed, and what they say (RFC 9113 §8.2, §8.3, §8.5; RFC 8441; RFC 9110). */
import type { RequestHead } from "../exchange.ts";
import { HeaderFields } from "../headers.ts";
import { FIRST_PSEUDO_KIND, FieldKind, type HeaderEntry } from "../hpack/header-entry.ts";
import {
  authorityFault,
  methodFault,
  parseLength,
  pathFault,
  protocolFault,
  schemeOf,
} from "./field-values.ts";

/** What a header list says; one for each list. Pseudo headers that did not come are undefined. */
export class Head {
  readonly headers: HeaderFields = new HeaderFields();
  method: string | undefined;
  scheme: string | undefined;
  authority: string | undefined;
  path: string | undefined;
  protocol: string | undefined;
  status: string | undefined;
  host: string | undefined;
  /** Undefined when there was no content-length. */
  contentLength: number | undefined;
  expectsContinue = false;
  #cookieAt = -1;

  /** Undefined, or what is wrong with the list. */
  read(fields: readonly HeaderEntry[]): string | undefined {
    const { flat } = this.headers;
    for (let at = 0; at < fields.length; at++) {
      const field = fields[at] as HeaderEntry;
      if (field.kind === FieldKind.regular) {
        flat.push(field.name, field.value);
        continue;
      }
      const why = field.kind >= FIRST_PSEUDO_KIND ? this.#pseudo(field) : this.#special(field);
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #special(field: HeaderEntry): string | undefined {
    const { flat } = this.headers;
    const { name, value } = field;
    switch (field.kind) {
      case FieldKind.connection:
        return `field ${name}, which HTTP/2 forbids`;
      case FieldKind.te:
        if (value !== "trailers") return "te other than trailers";
        break;
      case FieldKind.host:
        if (this.host !== undefined) return "host twice";
        this.host = value;
        return undefined;
      case FieldKind.contentLength:
        if (this.contentLength !== undefined) return "content-length twice";
        this.contentLength = parseLength(value);
        if (this.contentLength === undefined) return "content-length that is no number";
        break;
      case FieldKind.cookie:
        return this.#cookie(value);
      case FieldKind.expect:
        this.expectsContinue ||= value.toLowerCase() === "100-continue";
        break;
      default:
        return "name that is not a lower-case token, or value with a control character or outer space";
    }
    flat.push(name, value);
    return undefined;
  }

  /** Crumbs come together again for whoever takes the request on (RFC 9113 §8.2.3). */
  #cookie(value: string): undefined {
    const { flat } = this.headers;
    if (this.#cookieAt < 0) {
      this.#cookieAt = flat.length + 1;
      flat.push("cookie", value);
    } else flat[this.#cookieAt] += `; ${value}`;
  }

  #pseudo(field: HeaderEntry): string | undefined {
    if (this.headers.flat.length > 0 || this.host !== undefined) return "pseudo header after a field";
    const { value } = field;
    switch (field.kind) {
      case FieldKind.method:
        if (this.method !== undefined) return "twice :method";
        this.method = value;
        return undefined;
      case FieldKind.scheme:
        if (this.scheme !== undefined) return "twice :scheme";
        this.scheme = value;
        return undefined;
      case FieldKind.authority:
        if (this.authority !== undefined) return "twice :authority";
        this.authority = value;
        return undefined;
      case FieldKind.path:
        if (this.path !== undefined) return "twice :path";
        this.path = value;
        return undefined;
      case FieldKind.protocol:
        if (this.protocol !== undefined) return "twice :protocol";
        this.protocol = value;
        return undefined;
      default:
        if (this.status !== undefined) return "twice :status";
        this.status = value;
        return undefined;
    }
  }
}

/** The request that a list stands for, or what is wrong with it: a stream error, PROTOCOL_ERROR. */
export function readRequestHead(head: Head): RequestHead | string {
  if (head.status !== undefined) return ":status in a request";
  const { method, path, protocol } = head;
  if (method === undefined) return "no :method";
  const authority = agreedAuthority(head);
  if (authority === undefined) return "no :authority, or host that differs from it";
  const connect = method === "CONNECT" && protocol === undefined;
  const why = methodFault(method) ?? authorityFault(authority, connect);
  if (why !== undefined) return why;
  if (connect) return readConnect(head, authority);
  const scheme = schemeOf(head.scheme);
  if (scheme === undefined) return ":scheme other than http and https";
  if (path === undefined) return "no :path";
  const extended = protocol !== undefined;
  const pathWhy = pathFault(path, method);
  if (pathWhy !== undefined) return pathWhy;
  if (extended && method !== "CONNECT") return ":protocol without CONNECT";
  const extendedWhy = extended ? extendedFault(head, protocol) : undefined;
  if (extendedWhy !== undefined) return extendedWhy;
  const request = requestHead(head, extended ? "GET" : method, scheme, authority, path);
  if (extended) request.upgrade = protocol.toLowerCase();
  return request;
}

/** RFC 8441 §4: the stream is a tunnel, which has no length. */
function extendedFault(head: Head, protocol: string): string | undefined {
  if (head.contentLength !== undefined) return "CONNECT with content-length";
  return protocolFault(protocol);
}

/** RFC 9113 §8.5. */
function readConnect(head: Head, authority: string): RequestHead | string {
  if (head.scheme !== undefined || head.path !== undefined) return "CONNECT with :scheme or :path";
  if (head.contentLength !== undefined) return "CONNECT with content-length";
  return requestHead(head, "CONNECT", "http", authority, "");
}

function requestHead(
  head: Head,
  method: string,
  scheme: string,
  authority: string,
  path: string,
): RequestHead {
  const { headers, expectsContinue } = head;
  return { version: "HTTP/2", method, scheme, authority, path, headers, expectsContinue };
}

/** RFC 9113 §8.3.1: with both, they must say the same. */
function agreedAuthority(head: Head): string | undefined {
  const { authority, host } = head;
  if (authority === undefined) return host;
  if (host === undefined || host === authority) return authority;
  return host.toLowerCase() === authority.toLowerCase() ? authority : undefined;
}

/** The status of a response, or what is wrong with the list. */
export function readResponseHead(head: Head): number | string {
  const { status } = head;
  const strange = head.method ?? head.scheme ?? head.authority ?? head.path ?? head.protocol ?? head.host;
  if (strange !== undefined) return "pseudo header of a request, or host, in a response";
  if (status === undefined || !/^[1-9]\d\d$/.test(status)) return "no :status of three digits";
  if (status === "101") return "status 101";
  return Number(status);
}

/** Undefined when the list may be trailers: no pseudo headers, and nothing that frames or routes (RFC 9110 §6.5.1). */
export function trailerFault(head: Head): string | undefined {
  const pseudo = head.method ?? head.scheme ?? head.authority ?? head.path ?? head.protocol ?? head.status;
  if (pseudo !== undefined) return "pseudo header in trailers";
  if (head.host !== undefined || head.contentLength !== undefined)
    return "host or content-length in trailers";
  return undefined;
}
