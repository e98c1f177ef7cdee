/** The access log of one service: which requests and connections get a line, and which line. */

import type { AccessLogSettings } from "@meltemi/model/l7";
import type { RequestRecord } from "../../proxy/request-record.ts";
import type { TcpRecord } from "../../tcp/tcp-site.ts";
import { compileExpression, type Expression } from "../attributes/expression.ts";
import { REQUEST_ATTRIBUTES } from "../attributes/request-attributes.ts";
import { TCP_ATTRIBUTES } from "../attributes/tcp-attributes.ts";
import { compileLineFormat } from "./line-format.ts";

export interface AccessLogWriter {
  request(record: RequestRecord): void;
  connection(record: TcpRecord): void;
}

/** Undefined when it is off. A filter that is not CEL lets nothing pass: nobody asked for a line of everything. */
export function compileAccessLog(
  settings: AccessLogSettings,
  hostname: string,
  write: (line: string) => void,
  problems: string[],
): AccessLogWriter | undefined {
  if (settings.kind === "off") return undefined;
  const format = compileLineFormat(settings.format, hostname, problems);
  const { filter } = settings;
  if (filter === undefined)
    return {
      request: (record) => write(format.http(record)),
      connection: (record) => write(format.tcp(record)),
    };
  const expression = compileFilter(filter, problems);
  const passesRequest = expression?.bind(REQUEST_ATTRIBUTES);
  const passesConnection = expression?.bind(TCP_ATTRIBUTES);
  return {
    request(record) {
      if (passesRequest?.(record) === true) write(format.http(record));
    },
    connection(record) {
      if (passesConnection?.(record) === true) write(format.tcp(record));
    },
  };
}

function compileFilter(filter: string, problems: string[]): Expression | undefined {
  const outcome = compileExpression(filter);
  if (outcome.kind === "ok") return outcome.expression;
  problems.push(`access log filter: ${outcome.why}`);
  return undefined;
}
