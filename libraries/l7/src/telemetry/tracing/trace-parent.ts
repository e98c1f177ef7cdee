/** The trace that a request belongs to, as its headers say: W3C Trace Context and B3. */

/** Who was before us in a trace. */
export interface TraceParent {
  /** 32 hexadecimal digits, lower case. */
  readonly traceId: string;
  /** B3 allows ids of 16 digits; they are told on as they came. */
  readonly isShortId: boolean;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  /** Undefined: whoever comes next decides. */
  readonly sampled: boolean | undefined;
}

/** Between two places stand lower-case hexadecimal digits alone, at least one; `zeros`: they may all be zero. */
function isHex(text: string, start: number, end: number, zeros: boolean): boolean {
  let any = zeros;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isDigit && !(code >= 0x61 && code <= 0x66)) return false;
    if (code !== 0x30) any = true;
  }
  return any && start < end && end <= text.length;
}

function isId(text: string, digits: number): boolean {
  return text.length === digits && isHex(text, 0, digits, false);
}

/**
 * `traceparent` (W3C Trace Context §3.2): `00-<trace>-<parent>-<flags>`. Later versions may have more behind it. Undefined when it is
 * none: then the trace begins anew.
 */
export function parseTraceparent(text: string): TraceParent | undefined {
  if (!isHex(text, 0, 2, true) || text.startsWith("ff")) return undefined;
  const isWhole = text.length === 55 || (text.charAt(55) === "-" && !text.startsWith("00"));
  if (!isWhole || text.charAt(2) !== "-" || text.charAt(35) !== "-" || text.charAt(52) !== "-")
    return undefined;
  if (!isHex(text, 3, 35, false) || !isHex(text, 36, 52, false) || !isHex(text, 53, 55, true))
    return undefined;
  return {
    traceId: text.slice(3, 35),
    isShortId: false,
    spanId: text.slice(36, 52),
    sampled: (Number.parseInt(text.charAt(54), 16) & 1) === 1,
  };
}

export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/** What B3 headers say; ids and decision each may be there alone. */
export interface B3 {
  readonly parent: TraceParent | undefined;
  readonly sampled: boolean | undefined;
}

const NO_B3: B3 = { parent: undefined, sampled: undefined };

/** The header `b3`: `<trace>-<span>[-<sampled>[-<parent>]]`, or the decision alone. */
export function parseB3Single(text: string): B3 {
  const parts = text.split("-", 5);
  const [first = "", spanId = "", decision] = parts;
  if (parts.length === 1) return { parent: undefined, sampled: b3Decision(first) };
  if (parts.length > 4) return NO_B3;
  return b3Of(first, spanId, b3Decision(decision));
}

/** The headers `x-b3-*`; undefined for those that are not there. */
export function parseB3Multi(
  traceId: string | undefined,
  spanId: string | undefined,
  sampled: string | undefined,
  flags: string | undefined,
): B3 {
  const decision = flags === "1" ? true : b3Decision(sampled);
  if (traceId === undefined || spanId === undefined) return { parent: undefined, sampled: decision };
  return b3Of(traceId, spanId, decision);
}

function b3Of(trace: string, span: string, sampled: boolean | undefined): B3 {
  const traceId = trace.toLowerCase();
  const spanId = span.toLowerCase();
  const isShortId = isId(traceId, 16);
  if ((!isShortId && !isId(traceId, 32)) || !isId(spanId, 16)) return { parent: undefined, sampled };
  return { parent: { traceId: traceId.padStart(32, "0"), isShortId, spanId, sampled }, sampled };
}

function b3Decision(text: string | undefined): boolean | undefined {
  switch (text) {
    case "1":
    case "d":
    case "true":
      return true;
    case "0":
    case "false":
      return false;
    default:
      return undefined;
  }
}
