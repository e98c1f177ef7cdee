import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { faultOf } from "./object-fault.ts";

const metadata = { namespace: "ns", name: "route", generation: 3 };

test("of a route that cannot be read, the parents that can", () => {
  const parentRefs = [
    { group: "", kind: "Service", name: "svc", port: 80, other: "x" },
    { name: "plain" },
    { name: 3 },
    { name: "a", port: "80" },
    { name: "b", kind: {} },
    "c",
    null,
  ];
  const fault = faultOf("HTTPRoute", { metadata, spec: { parentRefs } } as never, "why");
  assert.deepEqual(fault, {
    kind: "HTTPRoute",
    ...metadata,
    problems: "why",
    parentRefs: [{ group: "", kind: "Service", name: "svc", port: 80 }, { name: "plain" }],
  });
});

test("whatever the spec is, it is bounded, and nothing is thrown", () => {
  const many = { parentRefs: Array.from({ length: 99 }, () => ({ name: "a" })) };
  assert.equal(faultOf("HTTPRoute", { metadata, spec: many } as never, "").parentRefs.length, 32);
  const specs = fc.oneof(
    fc.anything(),
    fc.record({ parentRefs: fc.oneof(fc.anything(), fc.array(fc.anything())) }),
  );
  fc.assert(
    fc.property(specs, (spec) => {
      for (const { name } of faultOf("TLSRoute", { metadata, spec } as never, "").parentRefs)
        assert.equal(typeof name, "string");
    }),
  );
});
