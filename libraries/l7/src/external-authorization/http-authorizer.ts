/** Envoy's HTTP external authorization: the request's head, sent to the authorizer; 200 allows (reference: l7-and-cli §2.1, CUSTOM). */

import { HeaderFields, type RequestHead } from "@meltemi/http";
import type { ExternalAuthorizer } from "@meltemi/model/l7";
import type { ServiceAnswer } from "../proxy/call-service.ts";
import type { BodyStart, RequestContext } from "../request-context.ts";
import { toWireText } from "../text/wire-text.ts";
import { compileFieldNames, type FieldNames } from "./field-names.ts";
import { type AuthorizerVerdict, isWritable } from "./verdict.ts";

export const PARTIAL_BODY = "x-envoy-auth-partial-body";
/** Always sent, beside method, path and authority. */
const ALWAYS_ASKED: readonly string[] = ["authorization"];
/** Always passed on to a client that is refused. */
const ALWAYS_TOLD: readonly string[] = ["www-authenticate", "proxy-authenticate", "location"];

export class HttpProtocol {
  readonly #authorizer: ExternalAuthorizer;
  readonly #asked: FieldNames;
  readonly #toUpstream: FieldNames;
  /** Undefined: all of them. */
  readonly #toldOnDeny: FieldNames | undefined;
  readonly #toldOnAllow: FieldNames;

  constructor(authorizer: ExternalAuthorizer) {
    this.#authorizer = authorizer;
    this.#asked = compileFieldNames([...ALWAYS_ASKED, ...authorizer.includeRequestHeaders]);
    this.#toUpstream = compileFieldNames(authorizer.headersToUpstreamOnAllow);
    const { headersToDownstreamOnDeny: onDeny } = authorizer;
    this.#toldOnDeny = onDeny.length === 0 ? undefined : compileFieldNames([...ALWAYS_TOLD, ...onDeny]);
    this.#toldOnAllow = compileFieldNames(authorizer.headersToDownstreamOnAllow);
  }

  question({ request }: RequestContext, body: BodyStart | undefined): RequestHead {
    const headers = new HeaderFields();
    const { flat } = request.headers;
    for (let at = 0; at < flat.length; at += 2) {
      const name = flat[at] ?? "";
      if (this.#asked(name)) headers.append(name, flat[at + 1] ?? "");
    }
    for (const [name, value] of this.#authorizer.includeAdditionalHeaders)
      headers.set(name.toLowerCase(), toWireText(value));
    headers.set("content-length", String(body?.bytes.length ?? 0));
    if (body !== undefined) headers.set(PARTIAL_BODY, String(!body.isWhole));
    const { method, scheme, authority, path } = request;
    return {
      version: request.version,
      method,
      scheme,
      authority,
      path: this.#authorizer.pathPrefix + path,
      headers,
      expectsContinue: false,
    };
  }

  verdict(answer: ServiceAnswer): AuthorizerVerdict {
    if (answer.kind === "failed") return { kind: "error", why: answer.why };
    const { head, body } = answer;
    if (head.status >= 500) return { kind: "error", why: `it answered ${head.status}` };
    if (head.status === 200)
      return {
        kind: "allow",
        requestFields: select(head.headers, this.#toUpstream).map(([name, value]) => ({
          name,
          value,
          how: "set",
        })),
        removedFields: [],
        responseFields: select(head.headers, this.#toldOnAllow),
        queryToSet: [],
        queryToRemove: [],
        metadata: undefined,
      };
    return {
      kind: "deny",
      reply: {
        status: head.status,
        body: Buffer.from(body.buffer, body.byteOffset, body.length).toString(),
        headers: select(head.headers, this.#toldOnDeny ?? (() => true)),
        flag: "UAEX",
        details: "ext_authz_denied",
      },
    };
  }
}

function select({ flat }: HeaderFields, names: FieldNames): (readonly [name: string, value: string])[] {
  const selected: (readonly [string, string])[] = [];
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at] ?? "";
    const value = flat[at + 1] ?? "";
    if (names(name) && isWritable(name, value)) selected.push([name, value]);
  }
  return selected;
}
