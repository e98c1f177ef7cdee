import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields } from "@meltemi/http";
import fc from "fast-check";
import { type OwnSpan, readTrace, writeTrace } from "./propagation.ts";
import { parseB3Single, parseTraceparent } from "./trace-parent.ts";

const TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN = "00f067aa0ba902b7";
const PARENT = { traceId: TRACE, isShortId: false, spanId: SPAN };

const traceparents: readonly {
  readonly name: string;
  readonly text: string;
  readonly sampled?: boolean;
}[] = [
  { name: "sampled", text: `00-${TRACE}-${SPAN}-01`, sampled: true },
  { name: "not sampled", text: `00-${TRACE}-${SPAN}-00`, sampled: false },
  { name: "flags of later levels", text: `00-${TRACE}-${SPAN}-03`, sampled: true },
  { name: "a later version", text: `cc-${TRACE}-${SPAN}-01`, sampled: true },
  { name: "a later version with more behind it", text: `cc-${TRACE}-${SPAN}-01-what-ever`, sampled: true },
  { name: "version 00 with more behind it", text: `00-${TRACE}-${SPAN}-01-more` },
  { name: "a later version with anything glued on", text: `cc-${TRACE}-${SPAN}-01x` },
  { name: "version ff", text: `ff-${TRACE}-${SPAN}-01` },
  { name: "no version", text: `-${TRACE}-${SPAN}-01` },
  { name: "upper case", text: `00-${TRACE.toUpperCase()}-${SPAN}-01` },
  { name: "a trace of zeros", text: `00-${"0".repeat(32)}-${SPAN}-01` },
  { name: "a parent of zeros", text: `00-${TRACE}-${"0".repeat(16)}-01` },
  { name: "flags that are none", text: `00-${TRACE}-${SPAN}-0x` },
  { name: "too short", text: `00-${TRACE}-${SPAN}-1` },
  { name: "other separators", text: `00_${TRACE}-${SPAN}-01` },
  { name: "nothing", text: "" },
];
for (const { name, text, sampled } of traceparents)
  test(`traceparent: ${name}`, () =>
    assert.deepEqual(parseTraceparent(text), sampled === undefined ? undefined : { ...PARENT, sampled }));

const SHORT = "a3ce929d0e0e4736";
const b3s: readonly { readonly text: string; readonly want: ReturnType<typeof parseB3Single> }[] = [
  { text: `${TRACE}-${SPAN}-1`, want: { parent: { ...PARENT, sampled: true }, sampled: true } },
  { text: `${TRACE}-${SPAN}-0-${SPAN}`, want: { parent: { ...PARENT, sampled: false }, sampled: false } },
  { text: `${TRACE}-${SPAN}-d`, want: { parent: { ...PARENT, sampled: true }, sampled: true } },
  { text: `${TRACE}-${SPAN}`, want: { parent: { ...PARENT, sampled: undefined }, sampled: undefined } },
  {
    text: `${SHORT}-${SPAN}-1`,
    want: {
      parent: { traceId: SHORT.padStart(32, "0"), isShortId: true, spanId: SPAN, sampled: true },
      sampled: true,
    },
  },
  { text: "0", want: { parent: undefined, sampled: false } },
  { text: "1", want: { parent: undefined, sampled: true } },
  { text: "x", want: { parent: undefined, sampled: undefined } },
  { text: `${TRACE}-short-1`, want: { parent: undefined, sampled: true } },
  { text: `${TRACE}-${SPAN}-1-${SPAN}-more`, want: { parent: undefined, sampled: undefined } },
];
for (const { text, want } of b3s) test(`b3: ${text}`, () => assert.deepEqual(parseB3Single(text), want));

const OWN: OwnSpan = {
  traceId: TRACE,
  isShortId: false,
  spanId: "1111111111111111",
  parentSpanId: SPAN,
  sampled: true,
};

function forwarded(
  own: "w3c" | "b3",
  span: OwnSpan,
  ...fields: readonly (readonly [string, string])[]
): object {
  const headers = HeaderFields.of(...fields);
  writeTrace(headers, readTrace(headers), span, own);
  return Object.fromEntries(
    Array.from({ length: headers.count }, (_, at) => headers.flat.slice(at * 2, at * 2 + 2)),
  );
}

test("W3C is continued with our span, and its state goes on", () => {
  assert.deepEqual(forwarded("w3c", OWN, ["traceparent", `00-${TRACE}-${SPAN}-01`], ["tracestate", "a=1"]), {
    traceparent: `00-${TRACE}-1111111111111111-01`,
    tracestate: "a=1",
  });
});

test("state of a trace that is not continued is dropped", () => {
  assert.deepEqual(
    forwarded("w3c", { ...OWN, sampled: false }, ["traceparent", "garbage"], ["tracestate", "a=1"]),
    {
      traceparent: `00-${TRACE}-1111111111111111-00`,
    },
  );
});

test("every form that came goes on with our span, whatever the collector's own is", () => {
  assert.deepEqual(
    forwarded(
      "w3c",
      OWN,
      ["x-b3-traceid", TRACE],
      ["x-b3-spanid", SPAN],
      ["x-b3-sampled", "1"],
      ["b3", `${TRACE}-${SPAN}-1`],
    ),
    {
      "x-b3-traceid": TRACE,
      "x-b3-spanid": "1111111111111111",
      "x-b3-sampled": "1",
      "x-b3-parentspanid": SPAN,
      b3: `${TRACE}-1111111111111111-1-${SPAN}`,
      traceparent: `00-${TRACE}-1111111111111111-01`,
    },
  );
});

test("a short id of B3 stays short in B3 and is long in W3C", () => {
  const span = { ...OWN, traceId: SHORT.padStart(32, "0"), isShortId: true };
  assert.deepEqual(forwarded("w3c", span, ["b3", `${SHORT}-${SPAN}-1`]), {
    b3: `${SHORT}-1111111111111111-1-${SPAN}`,
    traceparent: `00-${SHORT.padStart(32, "0")}-1111111111111111-01`,
  });
});

test("without anything before, the collector's own form begins", () => {
  const span = { ...OWN, parentSpanId: undefined };
  assert.deepEqual(forwarded("w3c", span), { traceparent: `00-${TRACE}-1111111111111111-01` });
  assert.deepEqual(forwarded("b3", span), {
    "x-b3-traceid": TRACE,
    "x-b3-spanid": "1111111111111111",
    "x-b3-sampled": "1",
  });
});

const incoming: readonly {
  readonly name: string;
  readonly fields: readonly (readonly [string, string])[];
  readonly traceId: string | undefined;
  readonly sampled: boolean | undefined;
}[] = [
  { name: "nothing", fields: [], traceId: undefined, sampled: undefined },
  {
    name: "W3C goes before B3",
    fields: [
      ["b3", "0"],
      ["traceparent", `00-${TRACE}-${SPAN}-01`],
    ],
    traceId: TRACE,
    sampled: true,
  },
  {
    name: "B3 where W3C is broken",
    fields: [
      ["b3", `${TRACE}-${SPAN}-1`],
      ["traceparent", "x"],
    ],
    traceId: TRACE,
    sampled: true,
  },
  {
    name: "two traceparents are none",
    fields: [
      ["traceparent", `00-${TRACE}-${SPAN}-01`],
      ["traceparent", `00-${TRACE}-${SPAN}-01`],
    ],
    traceId: undefined,
    sampled: undefined,
  },
  {
    name: "debug of B3 is sampled",
    fields: [
      ["x-b3-traceid", TRACE],
      ["x-b3-spanid", SPAN],
      ["x-b3-flags", "1"],
    ],
    traceId: TRACE,
    sampled: true,
  },
  { name: "B3 with a decision alone", fields: [["x-b3-sampled", "0"]], traceId: undefined, sampled: false },
  {
    name: "upper case of B3",
    fields: [
      ["x-b3-traceid", TRACE.toUpperCase()],
      ["x-b3-spanid", SPAN],
    ],
    traceId: TRACE,
    sampled: undefined,
  },
  {
    name: "B3 with an id that is none",
    fields: [
      ["x-b3-traceid", "nothing"],
      ["x-b3-spanid", SPAN],
    ],
    traceId: undefined,
    sampled: undefined,
  },
];
for (const { name, fields, traceId, sampled } of incoming)
  test(`incoming: ${name}`, () => {
    const found = readTrace(HeaderFields.of(...fields));
    assert.equal(found.parent?.traceId, traceId);
    assert.equal(found.sampled, sampled);
  });

test("whatever comes, what goes on is valid", () => {
  const names = fc.constantFrom(
    "traceparent",
    "tracestate",
    "b3",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-sampled",
    "x-b3-flags",
    "x-b3-other",
  );
  const values = fc.oneof(
    fc.string(),
    fc.constantFrom(TRACE, SPAN, SHORT, "1", "0", "d", `00-${TRACE}-${SPAN}-01`, `${TRACE}-${SPAN}-1`),
    fc
      .array(fc.constantFrom("00", "-", TRACE, SPAN, "01", "f"), { maxLength: 8 })
      .map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(names, values), { maxLength: 6 }), (fields) => {
      const headers = HeaderFields.of(...fields);
      const { parent } = readTrace(headers);
      if (parent !== undefined)
        assert.match(`${parent.traceId} ${parent.spanId}`, /^[0-9a-f]{32} [0-9a-f]{16}$/);
      writeTrace(headers, readTrace(headers), OWN, "w3c");
      assert.deepEqual(headers.all("traceparent"), [`00-${TRACE}-1111111111111111-01`]);
      assert.ok(headers.all("b3").length <= 1);
    }),
    { numRuns: 1000 },
  );
});
