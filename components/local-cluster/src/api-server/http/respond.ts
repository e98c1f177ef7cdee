/** Writing answers. */
import type { ServerResponse } from "node:http";
import type { Json } from "../json.ts";
import { Refusal } from "../refusal.ts";

export interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export function jsonAnswer(code: number, value: Json, contentType = "application/json"): Answer {
  return { code, contentType, body: `${JSON.stringify(value)}\n` };
}

export function textAnswer(code: number, body: string): Answer {
  return { code, contentType: "text/plain; charset=utf-8", body };
}

/** Any error as a Status; what is no refusal is a fault of ours and tells the client no more than that. */
export function errorAnswer(error: unknown): Answer {
  if (error instanceof Refusal) {
    return {
      ...jsonAnswer(error.httpCode, error.status),
      ...(error.httpCode === 401 ? { headers: BEARER } : {}),
    };
  }
  const fault = new Refusal(500, "InternalError", "Internal error occurred: the API server's log tells more");
  return jsonAnswer(500, fault.status);
}

const BEARER = { "www-authenticate": 'Bearer realm="kubernetes-master"' };

export function send(response: ServerResponse, answer: Answer): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const headers: Record<string, string | string[]> = {
    "content-type": answer.contentType,
    "cache-control": "no-cache, private",
    "content-length": String(Buffer.byteLength(answer.body)),
  };
  for (const [name, value] of Object.entries(answer.headers ?? {})) {
    headers[name] = typeof value === "string" ? value : [...value];
  }
  response.writeHead(answer.code, headers);
  response.end(answer.body);
}

/** RFC 7234 warnings, which kubectl prints: deprecated versions, unknown fields. */
export function warningHeaders(warnings: readonly string[]): Record<string, readonly string[]> {
  if (warnings.length === 0) return {};
  return {
    warning: [...new Set(warnings)]
      .slice(0, MAX_WARNINGS)
      .map((text) => `299 - ${JSON.stringify(asciiOnly(text))}`),
  };
}

/** Headers have a bound of their own at most clients. */
const MAX_WARNINGS = 16;

function asciiOnly(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 512);
}
