/** Formats compiled: a record becomes one line, of text or of JSON. */

import type { AccessLogSettings } from "@meltemi/model/l7";
import type { RequestRecord } from "../../proxy/request-record.ts";
import type { TcpRecord } from "../../tcp/tcp-site.ts";
import { unicode } from "../attributes/common-attributes.ts";
import { escapeText } from "./escape-text.ts";
import { parseFormat } from "./format-text.ts";
import { compileOperator, type LogValue, type Operator } from "./operators.ts";

export interface LineFormat {
  readonly http: (record: RequestRecord) => string;
  readonly tcp: (record: TcpRecord) => string;
}

/** Operators cut to their length, with the text between them. */
type Part = string | Operator;

/** What Envoy writes for nothing. */
const NONE = "-";

export function compileLineFormat(
  format: Extract<AccessLogSettings, { kind: "on" }>["format"],
  hostname: string,
  problems: string[],
): LineFormat {
  if (format.kind === "text") {
    const text = format.text.endsWith("\n") ? format.text : `${format.text}\n`;
    return textFormat(compileParts(text, hostname, problems));
  }
  const fields = Object.entries(format.labels).map(([name, label]) => ({
    prefix: `${JSON.stringify(name)}:`,
    value: jsonValue(compileParts(label, hostname, problems)),
  }));
  return {
    http: (record) => `{${fields.map(({ prefix, value }) => prefix + value.http(record)).join(",")}}\n`,
    tcp: (record) => `{${fields.map(({ prefix, value }) => prefix + value.tcp(record)).join(",")}}\n`,
  };
}

function compileParts(format: string, hostname: string, problems: string[]): readonly Part[] {
  const parsed = parseFormat(format);
  if (parsed.kind === "bad") {
    problems.push(parsed.why);
    // Seen in the log by whoever looks for it there; without the percent signs it means nothing else.
    return [format];
  }
  return parsed.parts.map((part): Part => {
    if (part.kind === "text") return part.text;
    const outcome = compileOperator(part.name, part.argument, hostname);
    if (outcome.kind === "ok") return cut(outcome.operator, part.maxLength);
    problems.push(outcome.why);
    return NONE;
  });
}

function cut({ http, tcp }: Operator, maxLength: number | undefined): Operator {
  if (maxLength === undefined) return { http, tcp };
  const shorten = (value: LogValue): LogValue =>
    value === undefined ? undefined : String(value).slice(0, maxLength);
  return { http: (record) => shorten(http(record)), tcp: (record) => shorten(tcp(record)) };
}

function textFormat(parts: readonly Part[]): LineFormat {
  return {
    http(record) {
      let line = "";
      for (const part of parts) line += typeof part === "string" ? part : textOf(part.http(record));
      return line;
    },
    tcp(record) {
      let line = "";
      for (const part of parts) line += typeof part === "string" ? part : textOf(part.tcp(record));
      return line;
    },
  };
}

function textOf(value: LogValue): string {
  if (typeof value === "string") return escapeText(value);
  return value === undefined ? NONE : String(value);
}

/** One operator alone keeps its type; among text, all is text. */
function jsonValue(parts: readonly Part[]): LineFormat {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined && typeof only !== "string")
    return { http: (record) => jsonOf(only.http(record)), tcp: (record) => jsonOf(only.tcp(record)) };
  const join = (values: readonly LogValue[]): string =>
    JSON.stringify(values.map((value) => (value === undefined ? NONE : unicodeOf(value))).join(""));
  return {
    http: (record) => join(parts.map((part) => (typeof part === "string" ? part : part.http(record)))),
    tcp: (record) => join(parts.map((part) => (typeof part === "string" ? part : part.tcp(record)))),
  };
}

function jsonOf(value: LogValue): string {
  if (value === undefined) return "null";
  return typeof value === "number" ? String(value) : JSON.stringify(unicode(value));
}

function unicodeOf(value: string | number): string {
  return typeof value === "number" ? String(value) : unicode(value);
}
