import assert from "node:assert/strict";
import { test } from "node:test";
import { describeFigure, figureOf, median } from "./figure.ts";

test("the median of an even count is the mean of the middle two", () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([3, 1, 2]), 2);
  assert.ok(Number.isNaN(median([])));
});

test("the ratio is the median of the pairs' ratios, not the ratio of the medians", () => {
  const figure = figureOf({
    name: "x",
    unit: "ms",
    peerName: "HAProxy pair",
    runs: [
      { ours: 1, peer: 1 },
      { ours: 10, peer: 20 },
      { ours: 3, peer: 6 },
    ],
    correct: true,
    target: { text: "≤ 1", holds: (f) => (f.ratio ?? 9) <= 1 },
  });
  assert.equal(figure.ratio, 0.5);
  assert.equal(figure.target?.reached, true);
  assert.match(describeFigure(figure), /x: 3 \(1–10\) ms, HAProxy pair 6 \(1–20\), ratio 0\.5, n=3/);
});

test("wrong results are shouted", () => {
  assert.match(
    describeFigure(figureOf({ name: "x", unit: "s", runs: [{ ours: 1 }], correct: false })),
    /WRONG RESULTS/,
  );
});
