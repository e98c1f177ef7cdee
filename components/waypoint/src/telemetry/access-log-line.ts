/** Istio's default access log line (reference: l7-and-cli §5.5). Pure. */

import type { RequestRecord, TcpRecord } from "@meltemi/l7";
import { formatSocketAddress, type Ip } from "@meltemi/model";

/** One line, with its end. What there is nothing to say of is `-`. */
export function requestLine(record: RequestRecord): string {
  const { context, responseHeaders, upstream } = record;
  const { request, caller, destination } = context;
  const header = (name: string): string => quoted(request.headers.get(name));
  return line([
    `[${new Date(record.startedAtMs).toISOString()}]`,
    `"${request.method} ${printable(request.headers.get("x-envoy-original-path") ?? request.path)} ${request.version}"`,
    String(record.responseCode),
    orDash(record.responseFlags.join(",")),
    orDash(record.responseCodeDetails),
    "-",
    quoted(record.upstreamFailure),
    String(record.requestBytes),
    String(record.responseBytes),
    String(Math.round(record.durationMs)),
    orDash(responseHeaders?.get("x-envoy-upstream-service-time")),
    header("x-forwarded-for"),
    header("user-agent"),
    header("x-request-id"),
    quoted(request.authority),
    quoted(hostOf(upstream?.endpoint)),
    orDash(upstream?.cluster),
    "-",
    formatSocketAddress(destination),
    formatSocketAddress(caller),
    orDash(context.serverName),
    orDash(record.routeName),
  ]);
}

export function connectionLine(record: TcpRecord): string {
  const { connection, cluster, endpoint } = record;
  return line([
    `[${new Date(record.startedAtMs).toISOString()}]`,
    '"- - -"',
    "0",
    orDash(record.responseFlags.join(",")),
    orDash(record.details),
    "-",
    quoted(record.upstreamFailure),
    String(record.receivedBytes),
    String(record.sentBytes),
    String(Math.round(record.durationMs)),
    "-",
    '"-"',
    '"-"',
    '"-"',
    '"-"',
    quoted(hostOf(endpoint)),
    orDash(cluster?.name),
    "-",
    formatSocketAddress(connection.destination),
    formatSocketAddress(connection.caller),
    orDash(connection.serverName),
    "-",
  ]);
}

type Endpoint = { readonly ip: Ip | undefined; readonly port: number } | undefined;

function hostOf(endpoint: Endpoint): string {
  return endpoint?.ip === undefined ? "" : formatSocketAddress({ ip: endpoint.ip, port: endpoint.port });
}

function line(fields: readonly string[]): string {
  return `${fields.join(" ")}\n`;
}

function orDash(text: string | undefined): string {
  return text === undefined || text === "" ? "-" : printable(text);
}

function quoted(text: string | undefined): string {
  return `"${orDash(text)}"`;
}

/** Clients write these: a line stays one line, and a quote does not end a field. */
function printable(text: string): string {
  return /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text)
    ? text
    : text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, (character) =>
        character === '"' || character === "\\"
          ? `\\${character}`
          : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
      );
}
