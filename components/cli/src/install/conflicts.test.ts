import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readConflicts } from "./conflicts.ts";

const CASES = [
  {
    name: "one, of another applier",
    message:
      'apply configmaps a/b: HTTP 409 Conflict: Apply failed with 1 conflict: conflict with "helm": .data.mesh',
    want: [{ manager: "helm", fields: [".data.mesh"] }],
  },
  {
    name: "one, of somebody who wrote, at a time with colons",
    message:
      'Apply failed with 1 conflict: conflict with "kubectl-edit" using apps/v1 at 2026-01-01T10:20:30Z: .spec.replicas',
    want: [{ manager: "kubectl-edit", fields: [".spec.replicas"] }],
  },
  {
    name: "several, as Kubernetes lists them",
    message:
      'Apply failed with 3 conflicts: conflicts with "helm" using apps/v1:\n- .spec.replicas\n- .spec.template.spec.containers[name="discovery"].image\nconflicts with "k9s" with subresource "scale" using apps/v1:\n- .spec.replicas',
    want: [
      {
        manager: "helm",
        fields: [".spec.replicas", '.spec.template.spec.containers[name="discovery"].image'],
      },
      { manager: "k9s", fields: [".spec.replicas"] },
    ],
  },
  {
    name: "several, a line for each",
    message:
      'Apply failed with 2 conflicts:\n- conflict with "a" using v1: .data.x\n- conflict with "a" using v1: .data.y',
    want: [{ manager: "a", fields: [".data.x", ".data.y"] }],
  },
  { name: "another refusal", message: "HTTP 409 Conflict: the object has been modified", want: [] },
];
for (const { name, message, want } of CASES)
  test(`conflicts: ${name}`, () => assert.deepEqual(readConflicts(message), want));

test("any text is read, in bounds", () =>
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom('conflict with "', '"', ": .a", "\n- .b", " at 1:2:3Z", "x", "\n")),
      (parts) => {
        const fields = readConflicts(parts.join("")).flatMap((one) => one.fields);
        assert.ok(fields.length <= 20);
      },
    ),
    { numRuns: 300 },
  ));
