import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BodyDecoder } from "./body-decoder.ts";
import { CHUNKED } from "./framing.ts";
import { Input } from "./input.ts";
import { DEFAULT_HTTP1_LIMITS } from "./limits.ts";

interface Decoded {
  readonly data: string;
  readonly trailers: readonly string[] | undefined;
  readonly status: number | undefined;
  readonly done: boolean;
  /** Bytes after the body. */
  readonly rest: string;
}

/** Feeds the pieces as a connection does: what is left over waits for the next. */
function decode(pieces: readonly string[]): Decoded {
  const decoder = new BodyDecoder(CHUNKED, DEFAULT_HTTP1_LIMITS);
  const input = new Input();
  let data = "";
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, "latin1");
    input.add(bytes, true);
    for (let moved = true; moved && !decoder.done && decoder.refusal === undefined; ) {
      if (input.length === 0) break;
      const at = decoder.step(input.bytes, input.start, input.end);
      moved = at > input.start;
      data += input.bytes.toString("latin1", decoder.dataFrom, decoder.dataTo);
      input.start = at;
    }
    input.settle();
    bytes.fill(0xee);
  }
  const rest = input.bytes.toString("latin1", input.start, input.end);
  const { done, trailers, refusal } = decoder;
  return { data, trailers: trailers?.flat, status: refusal?.status, done, rest };
}

const accepted: readonly (readonly [
  name: string,
  body: string,
  data: string,
  trailers?: readonly string[],
])[] = [
  ["nothing", "0\r\n\r\n", ""],
  ["one chunk", "3\r\nabc\r\n0\r\n\r\n", "abc"],
  ["several chunks", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"],
  [
    "upper and lower case digits",
    `a\r\n${"x".repeat(10)}\r\nB\r\n${"y".repeat(11)}\r\n0\r\n\r\n`,
    "x".repeat(10) + "y".repeat(11),
  ],
  ["leading zeros", "003\r\nabc\r\n000\r\n\r\n", "abc"],
  ["extensions", '3;a=b;c="d e"\r\nabc\r\n0;z\r\n\r\n', "abc"],
  ["what looks like framing in the data", "7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n\r\n"],
  ["trailers", "0\r\nA: 1\r\nB:2\r\n\r\n", "", ["a", "1", "b", "2"]],
];

for (const [name, body, data, trailers] of accepted)
  test(`chunks: ${name}, at every cut`, () => {
    const want = { data, trailers, status: undefined, done: true, rest: "GET" };
    const whole = `${body}GET`;
    assert.deepEqual(decode([whole]), want);
    assert.deepEqual(decode([...whole]), want);
    for (let cut = 1; cut < whole.length; cut++)
      assert.deepEqual(decode([whole.slice(0, cut), whole.slice(cut)]), want);
  });

const refused: readonly (readonly [name: string, body: string, status?: number])[] = [
  ["no size", "\r\nabc\r\n"],
  ["an empty size with an extension", ";a\r\n"],
  ["a sign", "+3\r\nabc\r\n"],
  ["a minus", "-1\r\nabc\r\n"],
  ["0x", "0x3\r\nabc\r\n"],
  ["no hexadecimal digit", "g\r\n"],
  ["a space before", " 3\r\nabc\r\n"],
  ["a space after", "3 \r\nabc\r\n"],
  ["a tab after", "3\t\r\nabc\r\n"],
  ["an underscore", "1_0\r\n"],
  ["LF alone after the size", "3\nabc\r\n"],
  ["CR alone after the size", "3\rabc\r\n"],
  ["LF alone in an extension", "3;a\nabc\r\n"],
  ["CR in an extension", "3;a\rb\r\nabc\r\n"],
  ["NUL in an extension", "3;\0\r\nabc\r\n"],
  ["a byte above ASCII in an extension", "3;\xe4\r\nabc\r\n"],
  ["data longer than its chunk", "3\r\nabcd\r\n"],
  ["data without its line end", "3\r\nabc0\r\n\r\n"],
  ["LF alone after data", "3\r\nabc\n0\r\n\r\n"],
  ["CR and another after data", "3\r\nabc\rx"],
  ["a size beyond 48 bits", "1000000000000\r\n"],
  ["a size of 2^64 and 3", "10000000000000003\r\nabc\r\n"],
  ["endless zeros", "0".repeat(13)],
  ["endless extensions", `1;${"a".repeat(17_000)}`],
  ["endless extensions in many chunks", `1;${"a".repeat(999)}\r\nx\r\n`.repeat(17)],
  ["a trailer without colon", "0\r\nabc\r\n\r\n"],
  ["a trailer with a space before the colon", "0\r\nA : b\r\n\r\n"],
  ["a folded trailer", "0\r\nA: b\r\n c\r\n\r\n"],
  ["LF alone in trailers", "0\r\nA: b\n\r\n"],
  ["LF alone after the last chunk", "0\r\n\n"],
  ["content-length as a trailer", "0\r\nContent-Length: 5\r\n\r\n"],
  ["transfer-encoding as a trailer", "0\r\nTransfer-Encoding: chunked\r\n\r\n"],
  ["host as a trailer", "0\r\nHost: b\r\n\r\n"],
  ["endless trailers", `0\r\nA: ${"b".repeat(9000)}`, 431],
  ["too many trailers", `0\r\n${"A: b\r\n".repeat(101)}\r\n`, 431],
];

for (const [name, body, status] of refused)
  test(`chunks refused: ${name}`, () => {
    assert.equal(decode([body]).status, status ?? 400);
    assert.equal(decode([...body]).status, status ?? 400);
  });

test("any bytes, in any pieces: never throws, and the cuts change nothing", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      "0",
      "3",
      "a",
      "\r\n",
      "\r",
      "\n",
      ";",
      "abc",
      "0\r\n\r\n",
      "3\r\nabc\r\n",
      "A: b\r\n",
      "F",
      " ",
    ),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const cut = decode(pieces);
      const whole = decode([pieces.join("")]);
      assert.deepEqual(
        [cut.data, cut.trailers, cut.done, cut.status],
        [whole.data, whole.trailers, whole.done, whole.status],
      );
    }),
    { numRuns: 2000 },
  );
});
