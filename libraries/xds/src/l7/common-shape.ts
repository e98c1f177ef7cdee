/** Leaves that all shapes of L7 configuration share. */

import type { Origin } from "@meltemi/model/l7";
import { decimal, integer, object, record, type Shape, text, textLike } from "./shape.ts";

/** Names of objects, hosts, clusters, cookies. */
export const NAME: Shape<string> = text(1, 1024);
export const ORIGIN: Shape<Origin> = object<Origin>({ kind: NAME, namespace: NAME, name: NAME });
/** A value of some length that may be empty. */
export const LABEL_TEXT: Shape<string> = text(0, 1024);
/** As users wrote them: paths, values, expressions. */
export const VALUE: Shape<string> = text(0, 16 * 1024);
/** A field name of HTTP (RFC 9110 §5.1) in lower case, or a pseudo header. */
export const HEADER_NAME: Shape<string> = textLike(
  "a header name in lower case",
  /^:?[-!#$%&'*+.^_`|~0-9a-z]+$/,
  1024,
);
/** No line end and no NUL: what is written into a head must not end it. */
export const HEADER_VALUE: Shape<string> = textLike(
  "a header value of at most 16384 characters without CR, LF and NUL",
  /^[^\r\n\0]*$/,
  16 * 1024,
);
export const MILLISECONDS: Shape<number> = integer(0, Number.MAX_SAFE_INTEGER);
export const PERCENT: Shape<number> = decimal(0, 100);
export const PORT: Shape<number> = integer(1, 65_535);
export const STATUS: Shape<number> = integer(200, 599);
export const LABELS: Shape<Readonly<Record<string, string>>> = record(LABEL_TEXT);
