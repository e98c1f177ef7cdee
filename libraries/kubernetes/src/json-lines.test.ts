import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonLines } from "./json-lines.ts";
import { parseWatchLine } from "./list-watch.ts";

async function* chunksOf(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  let from = 0;
  for (const cut of [...at, bytes.length]) {
    yield bytes.subarray(from, cut);
    from = cut;
  }
}

async function read(text: string, cuts: readonly number[] = [], limit?: number): Promise<unknown[]> {
  const lines: unknown[] = [];
  for await (const line of jsonLines(chunksOf(Buffer.from(text), cuts), limit)) lines.push(line);
  return lines;
}

test("cuts anywhere give the same lines", async () => {
  const document = fc.record({ type: fc.string(), object: fc.dictionary(fc.string(), fc.string()) });
  await fc.assert(
    fc.asyncProperty(fc.array(document), fc.array(fc.nat()), async (documents, cuts) => {
      const text = documents.map((each) => `${JSON.stringify(each)}\n`).join("");
      assert.deepEqual(
        await read(text, cuts),
        documents.map((each) => JSON.parse(JSON.stringify(each))),
      );
    }),
    { numRuns: 100 },
  );
});

test("blank lines are skipped, the last newline may be missing", async () => {
  assert.deepEqual(await read('{"a":1}\n\n \r\n{"a":2}'), [{ a: 1 }, { a: 2 }]);
});

test("a line that is too long or not JSON is refused, whole or in pieces", async () => {
  await assert.rejects(read('{"a":"xxxxxxxx"}\n', [], 8), { code: "LIMIT_EXCEEDED" });
  await assert.rejects(read('{"a":"xxxxxxxx', [3, 6, 9], 8), { code: "LIMIT_EXCEEDED" });
  await assert.rejects(read("<html>\n"), { code: "PROTOCOL_VIOLATION" });
});

test("whatever JSON comes on a watch, it is an event or a MeshError", () => {
  const event = fc.oneof(
    fc.jsonValue(),
    fc.record({
      type: fc.constantFrom("ADDED", "DELETED", "BOOKMARK", "ERROR", "constructor", "x"),
      object: fc.oneof(fc.jsonValue(), fc.record({ metadata: fc.jsonValue(), code: fc.jsonValue() })),
    }),
  );
  fc.assert(
    fc.property(event, (line) => {
      try {
        assert.ok(["added", "modified", "deleted", "bookmark"].includes(parseWatchLine(line, "watch").kind));
      } catch (error) {
        assert.equal((error as Error).name, "MeshError");
      }
    }),
  );
});
