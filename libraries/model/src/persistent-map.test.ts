import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hashOf, PersistentMap } from "./persistent-map.ts";

type Step = readonly [kind: "set" | "delete" | "finish", key: string, value: number];

const step: fc.Arbitrary<Step> = fc.tuple(
  fc.constantFrom("set", "set", "set", "delete", "delete", "finish"),
  // Few keys, so that steps meet; the last two have one hash.
  fc.constantFrom(...Array.from({ length: 60 }, (_, index) => `key-${index}`), ...collidingKeys()),
  fc.nat(),
);

/** Two keys with equal hashes, found by trying. */
function collidingKeys(): readonly [string, string] {
  const seen = new Map<number, string>();
  for (let index = 0; ; index++) {
    const key = `c${index}`;
    const other = seen.get(hashOf(key));
    if (other !== undefined) return [other, key];
    seen.set(hashOf(key), key);
  }
}

const contents = (map: {
  forEach(visit: (value: number, key: string) => void): void;
}): [string, number][] => {
  const all: [string, number][] = [];
  map.forEach((value, key) => {
    all.push([key, value]);
  });
  return all.sort();
};

test("behaves as a Map does, and what was finished never changes", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const model = new Map<string, number>();
      let draft = PersistentMap.empty<number>().draft();
      const finished: { map: PersistentMap<number>; want: [string, number][] }[] = [];
      for (const [kind, key, value] of steps) {
        if (kind === "set") {
          draft.set(key, value);
          model.set(key, value);
        } else if (kind === "delete") {
          draft.delete(key);
          model.delete(key);
        } else {
          const map = draft.finish();
          finished.push({ map, want: [...model].sort() });
          if (value % 2 === 0) draft = map.draft();
        }
        assert.equal(draft.size, model.size);
        assert.equal(draft.get(key), model.get(key));
      }
      assert.deepEqual(contents(draft), [...model].sort());
      for (const { map, want } of finished) {
        assert.deepEqual(contents(map), want);
        assert.equal(map.size, want.length);
        for (const [key, value] of want) assert.equal(map.get(key), value);
      }
    }),
    { numRuns: 300 },
  );
});

test("an unchanged draft gives back its base", () => {
  const draft = PersistentMap.empty<number>().draft();
  draft.set("a", 1);
  const map = draft.finish();
  const second = map.draft();
  second.delete("absent");
  assert.equal(second.finish(), map);
});

test("keys that collide are both kept", () => {
  const [a, b] = collidingKeys();
  const draft = PersistentMap.empty<number>().draft();
  draft.set(a, 1);
  draft.set(b, 2);
  assert.deepEqual([draft.get(a), draft.get(b)], [1, 2]);
  draft.delete(a);
  assert.deepEqual([draft.get(a), draft.get(b), draft.size], [undefined, 2, 1]);
});
