import assert from "node:assert/strict";
import { test } from "node:test";
import type { BalancedEndpoint } from "./endpoint.ts";
import { LeastRequestPicker } from "./least-request-picker.ts";
import { MaglevPicker } from "./maglev-picker.ts";
import type { Member, Picker } from "./picker.ts";
import { RandomPicker } from "./random-picker.ts";
import { RingHashPicker } from "./ring-hash-picker.ts";
import { RoundRobinPicker } from "./round-robin-picker.ts";
import { evenRandom, type SampleEndpoint, sampleEndpoint, samplePick } from "./sample-endpoint.ts";
import { warmUpShare } from "./warm-up.ts";
import { xxHash64 } from "./xxhash64.ts";

function members(weights: readonly number[], given: Partial<SampleEndpoint> = {}): Member<SampleEndpoint>[] {
  return weights.map((weight, index) => ({ endpoint: sampleEndpoint(`10.0.0.${index}`, given), weight }));
}

const kinds: Readonly<Record<string, (of: readonly Member<SampleEndpoint>[]) => Picker<SampleEndpoint>>> = {
  random: (of) => new RandomPicker(of),
  "round robin": (of) => new RoundRobinPicker(of, undefined, () => 0.3),
  "least request": (of) => new LeastRequestPicker(of, undefined),
  "ring hash": (of) => new RingHashPicker(of, 16_384),
  maglev: (of) => new MaglevPicker(of, 65_537),
};

/** Key by key, as different users would come. */
function counts(picker: Picker<SampleEndpoint>, picks: number, nowMs = 0): Map<string, number> {
  const random = evenRandom(7);
  const counted = new Map<string, number>();
  for (let count = 0; count < picks; count++) {
    const uid = picker.pick(samplePick({ random, nowMs, hash: xxHash64(`user-${count}`) }), 0)?.uid ?? "none";
    counted.set(uid, (counted.get(uid) ?? 0) + 1);
  }
  return counted;
}

for (const [kind, create] of Object.entries(kinds)) {
  test(`${kind}: nobody to choose, one to choose`, () => {
    assert.equal(create([]).pick(samplePick(), 0), undefined);
    assert.equal(create(members([3])).pick(samplePick(), 0)?.uid, "10.0.0.0");
    assert.equal(create(members([3])).pick(samplePick(), 4)?.uid, "10.0.0.0");
  });
  test(`${kind}: even weights are served evenly`, () => {
    const counted = counts(create(members(Array.from({ length: 10 }, () => 5))), 20_000);
    assert.equal(counted.size, 10);
    for (const [uid, count] of counted) assert.ok(Math.abs(count - 2000) < 300, `${uid}: ${count}`);
  });
  test(`${kind}: weights are kept`, () => {
    const counted = counts(create(members([1, 2, 5])), 16_000);
    for (const [index, want] of [2000, 4000, 10_000].entries())
      assert.ok(
        Math.abs((counted.get(`10.0.0.${index}`) ?? 0) - want) < 400,
        `${index}: ${counted.get(`10.0.0.${index}`)}`,
      );
  });
}

test("round robin: everyone once before anyone twice, and a weight of three is spread", () => {
  const even = new RoundRobinPicker(members([1, 1, 1]), undefined, () => 0);
  const order = Array.from({ length: 6 }, () => even.pick(samplePick())?.uid.at(-1)).join("");
  assert.equal(order, "012012");
  const weighted = new RoundRobinPicker(members([3, 1]), undefined, () => 0);
  const turns = Array.from({ length: 40 }, () => weighted.pick(samplePick())?.uid.at(-1)).join("");
  assert.equal(turns.replaceAll("0", "").length, 10);
  assert.doesNotMatch(turns, /11|0000/);
});

test("least request: the idler of two, measured by weight", () => {
  const of = members([1, 1]);
  const [busy, idle] = of.map(({ endpoint }) => endpoint);
  assert.ok(busy !== undefined && idle !== undefined);
  busy.active = 3;
  const picker = new LeastRequestPicker(of, undefined);
  for (let count = 0; count < 50; count++)
    assert.equal(picker.pick(samplePick({ random: evenRandom(count) }))?.uid, idle.uid);
  const strong = members([10, 1]);
  const [, weak] = strong;
  if (weak !== undefined) weak.endpoint.active = 1;
  const [heavy] = strong;
  assert.ok(heavy !== undefined);
  heavy.endpoint.active = 5;
  for (let count = 0; count < 50; count++)
    assert.equal(
      new LeastRequestPicker(strong, undefined).pick(samplePick({ random: evenRandom(count) }))?.uid,
      heavy.endpoint.uid,
    );
});

const shares = [
  { name: "at its start, the least", ageMs: 0, minimumPercent: 10, aggression: 1, want: 0.1 },
  { name: "half way", ageMs: 5000, minimumPercent: 10, aggression: 1, want: 0.5 },
  { name: "half way, eagerly", ageMs: 2500, minimumPercent: 10, aggression: 2, want: 0.5 },
  { name: "at its end", ageMs: 10_000, minimumPercent: 10, aggression: 1, want: 1 },
  { name: "without a least", ageMs: 0, minimumPercent: 0, aggression: 1, want: 0.0001 },
] as const;
for (const { name, ageMs, minimumPercent, aggression, want } of shares)
  test(`warm-up: ${name}`, () =>
    assert.equal(warmUpShare({ durationMs: 10_000, minimumPercent, aggression }, ageMs), want));

for (const kind of ["round robin", "least request"] as const)
  test(`warm-up: a new endpoint gets its share (${kind})`, () => {
    const warmup = { durationMs: 10_000, minimumPercent: 10, aggression: 1 };
    const of = [...members([1, 1, 1], { sinceMs: -10_000 }), { endpoint: sampleEndpoint("new"), weight: 1 }];
    const picker =
      kind === "round robin" ? new RoundRobinPicker(of, warmup, () => 0) : new LeastRequestPicker(of, warmup);
    const count = counts(picker, 20_000, 1000).get("new") ?? 0;
    assert.ok(Math.abs(count - 20_000 * (0.1 / 3.1)) < 150, String(count));
    const allNew = new RoundRobinPicker(members([1, 1]), warmup, () => 0);
    assert.notEqual(allNew.pick(samplePick()), undefined);
  });

const hashed = { "ring hash": kinds["ring hash"], maglev: kinds["maglev"] };
for (const [kind, create] of Object.entries(hashed)) {
  if (create === undefined) continue;
  const owners = (picker: Picker<SampleEndpoint>): (string | undefined)[] =>
    Array.from(
      { length: 5000 },
      (_, index) => picker.pick(samplePick({ hash: xxHash64(`key-${index}`) }), 0)?.uid,
    );
  test(`${kind}: the order of the list does not matter`, () => {
    const of = members(Array.from({ length: 10 }, () => 1));
    assert.deepEqual(owners(create(of)), owners(create([...of].reverse())));
  });
  test(`${kind}: one that goes moves its own keys and few others, for the rest takes more points`, () => {
    const of = members(Array.from({ length: 20 }, () => 1));
    const before = owners(create(of));
    const after = owners(create(of.slice(0, -1)));
    const moved = before.filter((uid, index) => uid !== "10.0.0.19" && uid !== after[index]).length;
    assert.ok(moved <= 300, `${moved} of 5000 moved without need`);
    assert.ok(after.every((uid) => uid !== "10.0.0.19"));
  });
  test(`${kind}: a retry goes elsewhere in time, a request without key anywhere`, () => {
    const picker = create(members([1, 1, 1]));
    const tries = new Set(
      Array.from(
        { length: 20 },
        (_, attempt) => picker.pick(samplePick({ hash: xxHash64("k") }), attempt)?.uid,
      ),
    );
    assert.equal(tries.size, 3);
    const random = evenRandom();
    const anywhere = new Set(Array.from({ length: 50 }, () => picker.pick(samplePick({ random }), 0)?.uid));
    assert.equal(anywhere.size, 3);
  });
}

test("ring hash: at least as many points as asked for, a whole number for the lightest, and a bound", () => {
  assert.equal(new RingHashPicker(members([1, 1, 1]), 1024).ringSize, 1026);
  assert.equal(new RingHashPicker(members([1, 3]), 1024).ringSize, 1024);
  assert.equal(new RingHashPicker(members([1, 1]), 10_000_000).ringSize, 1 << 17);
});

test("ring hash: a key at a point is the point's, and behind the last comes the first", () => {
  const of: Member<BalancedEndpoint>[] = members([1, 1]);
  const picker = new RingHashPicker(of, 4);
  for (const { endpoint } of of)
    assert.equal(picker.pick(samplePick({ hash: xxHash64(`${endpoint.address}_0`) }), 0)?.uid, endpoint.uid);
  const highest = picker.pick(samplePick({ hash: { high: 0xffffffff, low: 0xffffffff } }), 0);
  const lowest = picker.pick(samplePick({ hash: { high: 0, low: 0 } }), 0);
  assert.equal(highest?.uid, lowest?.uid);
});

test("maglev: a table size that is no prime becomes the next", () => {
  assert.equal(new MaglevPicker(members([1, 1]), 1000).tableSize, 1009);
  assert.equal(new MaglevPicker(members([1]), 0).tableSize, 2);
});
