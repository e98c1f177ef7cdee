import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock } from "@meltemi/testkit";
import { JUDGED_PER_TURN, type OpenTunnel, OpenTunnels, PASS_BOUND_MS } from "./open-tunnels.ts";

function setUp(count: number) {
  const clock = createFakeClock();
  const errors: unknown[] = [];
  const tunnels = new OpenTunnels({ clock, onInternalError: (error) => void errors.push(error) });
  const cut: string[] = [];
  let judged = 0;
  const forbidden = new Set<number>();
  const open = Array.from({ length: count }, (_, index): OpenTunnel => {
    return {
      denial() {
        judged++;
        return forbidden.has(index) ? "rbac" : undefined;
      },
      cut: (details) => void cut.push(`${index} ${details}`),
    };
  });
  for (const tunnel of open) tunnels.add(tunnel);
  const turn = (): number => {
    const before = judged;
    clock.advance(0);
    return judged - before;
  };
  return { clock, errors, tunnels, cut, open, forbidden, turn, judged: () => judged };
}

test("what is forbidden now is cut in the next turn, and once", () => {
  const { tunnels, cut, forbidden, turn, clock } = setUp(3);
  forbidden.add(1);
  tunnels.rejudge();
  assert.deepEqual(cut, []);
  assert.equal(turn(), 3);
  assert.deepEqual(cut, ["1 rbac"]);
  tunnels.rejudge();
  assert.equal(turn(), 2);
  assert.equal(clock.pending, 0);
});

test("many are judged in slices; a change meanwhile begins anew after them", () => {
  const { tunnels, cut, forbidden, turn, judged, clock } = setUp(JUDGED_PER_TURN + 1);
  tunnels.rejudge();
  let inFirstTurn = 0;
  clock.after(0, () => {
    inFirstTurn = judged();
    forbidden.add(0);
    tunnels.rejudge();
  });
  assert.equal(turn(), 2 * (JUDGED_PER_TURN + 1));
  assert.equal(inFirstTurn, JUDGED_PER_TURN);
  assert.deepEqual(cut, ["0 rbac"]);
  assert.equal(clock.pending, 0);
});

test("a pass that takes too long judges the rest at once", () => {
  const { tunnels, turn, clock } = setUp(3 * JUDGED_PER_TURN);
  tunnels.rejudge();
  clock.advance(PASS_BOUND_MS);
  assert.equal(turn(), 0);
  assert.equal(clock.pending, 0);
});

test("one that ended is not judged; one that cannot be judged is cut", () => {
  const { tunnels, open, cut, errors, turn } = setUp(1);
  const [ended] = open;
  if (ended !== undefined) tunnels.delete(ended);
  const broken = new Error("no verdict");
  tunnels.add({
    denial() {
      throw broken;
    },
    cut: (details) => void cut.push(details),
  });
  tunnels.rejudge();
  assert.equal(turn(), 0);
  assert.deepEqual([errors, cut], [[broken], ["internal_error"]]);
});

test("nothing open, nothing to do", () => {
  const { tunnels, clock } = setUp(0);
  tunnels.rejudge();
  assert.equal(clock.pending, 0);
});
