/** Envoy's gRPC external authorization, `envoy.service.auth.v3` (reference: l7-and-cli §2.1, CUSTOM). */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { formatIdentity, type Ip } from "@meltemi/model";
import type { ExternalAuthorizer } from "@meltemi/model/l7";
import { externalAuthorization as wire } from "@meltemi/wire";
import type { GrpcAnswer } from "../proxy/call-grpc.ts";
import type { BodyStart, RequestContext } from "../request-context.ts";
import type { ClientConnectionFacts } from "../tcp/tcp-site.ts";
import { toWireText } from "../text/wire-text.ts";
import { compileFieldNames, type FieldNames } from "./field-names.ts";
import { PARTIAL_BODY } from "./http-authorizer.ts";
import { type AuthorizerVerdict, type FieldChange, isWritable } from "./verdict.ts";

export const CHECK_PATH = "/envoy.service.auth.v3.Authorization/Check";

export class GrpcProtocol {
  readonly #asBytes: boolean;
  /** Undefined: all of them. */
  readonly #asked: FieldNames | undefined;

  constructor({ includeBody, includeRequestHeaders }: ExternalAuthorizer) {
    this.#asBytes = includeBody?.asBytes === true;
    this.#asked = includeRequestHeaders.length === 0 ? undefined : compileFieldNames(includeRequestHeaders);
  }

  question(context: RequestContext, body: BodyStart | undefined, nowMs: number): Uint8Array {
    const { request } = context;
    const size = Number(request.headers.get("content-length") ?? -1);
    const http = create(wire.AttributeContext_HttpRequestSchema, {
      id: unicode(request.headers.get("x-request-id") ?? ""),
      method: request.method,
      headers: this.#headersOf(context, body),
      path: unicode(request.path),
      host: unicode(request.authority),
      scheme: request.scheme,
      size: BigInt(Number.isSafeInteger(size) ? size : -1),
      protocol: request.version,
    });
    if (body !== undefined && this.#asBytes) http.rawBody = body.bytes;
    else if (body !== undefined) http.body = Buffer.from(body.bytes).toString();
    return toBinary(
      wire.CheckRequestSchema,
      create(wire.CheckRequestSchema, {
        attributes: {
          ...connectionAttributes(context),
          request: { time: timestampFromMs(nowMs), http },
        },
      }),
    );
  }

  verdict(answer: GrpcAnswer): AuthorizerVerdict {
    if (answer.kind === "failed") return { kind: "error", why: answer.why };
    let response: wire.CheckResponse;
    try {
      response = fromBinary(wire.CheckResponseSchema, answer.message);
    } catch {
      return { kind: "error", why: `${answer.message.length} bytes that are no CheckResponse` };
    }
    const { httpResponse, dynamicMetadata } = response;
    if ((response.status?.code ?? 0) !== 0)
      return denial(httpResponse.case === "deniedResponse" ? httpResponse.value : undefined);
    const ok = httpResponse.case === "okResponse" ? httpResponse.value : undefined;
    return {
      kind: "allow",
      requestFields: (ok?.headers ?? []).flatMap(fieldChange),
      removedFields: (ok?.headersToRemove ?? []).map((name) => name.toLowerCase()),
      responseFields: told(ok?.responseHeadersToAdd ?? []),
      queryToSet: (ok?.queryParametersToSet ?? []).map(({ key, value }) => [key, value] as const),
      queryToRemove: ok?.queryParametersToRemove ?? [],
      metadata: dynamicMetadata,
    };
  }

  #headersOf({ request }: RequestContext, body: BodyStart | undefined): Record<string, string> {
    const headers: [string, string][] = [
      [":method", request.method],
      [":path", unicode(request.path)],
      [":authority", unicode(request.authority)],
      [":scheme", request.scheme],
    ];
    const { flat } = request.headers;
    for (const name of new Set(flat.filter((_, at) => at % 2 === 0)))
      if (this.#asked?.(name) !== false)
        headers.push([unicode(name), unicode(request.headers.joined(name) ?? "")]);
    if (body !== undefined) headers.push([PARTIAL_BODY, String(!body.isWhole)]);
    return Object.fromEntries(headers);
  }
}

/** Of a connection whose bytes are not read as requests: who calls whom, and no word of HTTP. */
export function connectionQuestion(connection: ClientConnectionFacts): Uint8Array {
  const attributes = connectionAttributes(connection);
  return toBinary(wire.CheckRequestSchema, create(wire.CheckRequestSchema, { attributes }));
}

function connectionAttributes({ caller, destination, serverName }: ClientConnectionFacts) {
  return {
    source: {
      address: addressOf(caller.ip, caller.port),
      principal: caller.identity === undefined ? "" : formatIdentity(caller.identity),
      labels: { ...caller.labels },
    },
    destination: { address: addressOf(destination.ip, destination.port) },
    ...(serverName !== undefined && { tlsSession: { sni: serverName } }),
  };
}

function denial(response: wire.DeniedHttpResponse | undefined): AuthorizerVerdict {
  const status = response?.status?.code ?? 0;
  return {
    kind: "deny",
    reply: {
      status: status >= 200 && status <= 599 ? status : 403,
      body: response?.body ?? "",
      headers: told(response?.headers ?? []),
      flag: "UAEX",
      details: "ext_authz_denied",
    },
  };
}

/** Without a word on it, a field replaces what is there. */
function fieldChange(option: wire.HeaderValueOption): readonly FieldChange[] {
  const { header, append, appendAction } = option;
  if (header === undefined) return [];
  return [{ name: header.key.toLowerCase(), value: textOf(header), how: howOf(append, appendAction) }];
}

function howOf(append: boolean | undefined, action: wire.HeaderValueOption_AppendAction): FieldChange["how"] {
  if (append === true) return "append";
  switch (action) {
    case wire.HeaderValueOption_AppendAction.ADD_IF_ABSENT:
      return "addIfAbsent";
    case wire.HeaderValueOption_AppendAction.OVERWRITE_IF_EXISTS:
      return "setIfPresent";
    default:
      return "set";
  }
}

function told(options: readonly wire.HeaderValueOption[]): readonly (readonly [string, string])[] {
  return options
    .flatMap(fieldChange)
    .filter(({ name, value }) => isWritable(name, value))
    .map(({ name, value }) => [name, value] as const);
}

function textOf({ value, rawValue }: wire.HeaderValue): string {
  return rawValue.length > 0 ? Buffer.from(rawValue).toString("latin1") : toWireText(value);
}

function addressOf(ip: Ip, port: number) {
  return { socketAddress: { address: ip, portValue: port } };
}

/** A head's bytes as protobuf's text: what is not UTF-8 is replaced. */
function unicode(text: string): string {
  return /[^\x20-\x7e]/.test(text) ? Buffer.from(text, "latin1").toString() : text;
}
