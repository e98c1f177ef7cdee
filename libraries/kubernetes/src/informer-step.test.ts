import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type InformerEvent, type InformerState, stepInformer } from "./informer-step.ts";

const watching = (attempt: number, heard: boolean): InformerState => ({
  kind: "watching",
  resourceVersion: "5",
  attempt,
  heard,
});
const ended = (how: "clean" | "failed" | "gone" | "silent", lasted = false): InformerEvent => ({
  kind: "watchEnded",
  how,
  lasted,
});
const waiting = (attempt: number, resourceVersion?: string): InformerState =>
  resourceVersion === undefined
    ? { kind: "waiting", attempt }
    : { kind: "waiting", attempt, resourceVersion };

const cases: readonly {
  readonly name: string;
  readonly from: InformerState;
  readonly event: InformerEvent;
  readonly to: InformerState;
  readonly effect?: string;
}[] = [
  {
    name: "start lists",
    from: { kind: "new" },
    event: { kind: "start" },
    to: { kind: "listing", attempt: 0 },
    effect: "list",
  },
  {
    name: "a list leads to a watch from it",
    from: { kind: "listing", attempt: 3 },
    event: { kind: "listed", resourceVersion: "5" },
    to: watching(3, false),
    effect: "watch",
  },
  {
    name: "a failed list waits, longer each time",
    from: { kind: "listing", attempt: 3 },
    event: { kind: "listFailed" },
    to: waiting(4),
    effect: "wait",
  },
  {
    name: "an event resets the back-off and moves the version",
    from: watching(3, false),
    event: { kind: "heard", resourceVersion: "6" },
    to: { kind: "watching", resourceVersion: "6", attempt: 0, heard: true },
  },
  {
    name: "a clean end goes on at once",
    from: watching(0, true),
    event: ended("clean"),
    to: watching(0, false),
    effect: "watch",
  },
  {
    name: "a clean end of a quiet watch that lasted goes on at once",
    from: watching(4, false),
    event: ended("clean", true),
    to: watching(0, false),
    effect: "watch",
  },
  {
    name: "a server that ends each watch at once is not hammered",
    from: watching(2, false),
    event: ended("clean"),
    to: waiting(3, "5"),
    effect: "wait",
  },
  {
    name: "a broken watch waits and goes on from its version",
    from: watching(0, true),
    event: ended("failed"),
    to: waiting(1, "5"),
    effect: "wait",
  },
  {
    name: "a silent watch is made again",
    from: watching(0, false),
    event: ended("silent", true),
    to: waiting(1, "5"),
    effect: "wait",
  },
  {
    name: "gone lists at once",
    from: watching(0, true),
    event: ended("gone"),
    to: { kind: "listing", attempt: 1 },
    effect: "list",
  },
  {
    name: "gone again and again lists with back-off",
    from: watching(1, false),
    event: ended("gone"),
    to: waiting(2),
    effect: "wait",
  },
  {
    name: "due: watch where there is a version",
    from: waiting(2, "5"),
    event: { kind: "retryDue" },
    to: watching(2, false),
    effect: "watch",
  },
  {
    name: "due: list where there is none",
    from: waiting(2),
    event: { kind: "retryDue" },
    to: { kind: "listing", attempt: 2 },
    effect: "list",
  },
  {
    name: "late news of a cancelled watch changes nothing",
    from: waiting(2, "5"),
    event: ended("failed"),
    to: waiting(2, "5"),
  },
  {
    name: "stop cancels",
    from: watching(0, true),
    event: { kind: "stop" },
    to: { kind: "stopped" },
    effect: "cancel",
  },
  {
    name: "nothing starts after stop",
    from: { kind: "stopped" },
    event: { kind: "retryDue" },
    to: { kind: "stopped" },
  },
  { name: "stop twice is once", from: { kind: "stopped" }, event: { kind: "stop" }, to: { kind: "stopped" } },
];
for (const c of cases) {
  test(`stepInformer: ${c.name}`, () => {
    const { state, effects } = stepInformer(c.from, c.event);
    assert.deepEqual(state, c.to);
    assert.deepEqual(
      effects.map((effect) => effect.kind),
      c.effect === undefined ? [] : [c.effect],
    );
  });
}

test("whatever happens, an informer that is not stopped has something under way", () => {
  const event: fc.Arbitrary<InformerEvent> = fc.oneof(
    fc.constant<InformerEvent>({ kind: "listed", resourceVersion: "1" }),
    fc.constant<InformerEvent>({ kind: "listFailed" }),
    fc.constant<InformerEvent>({ kind: "heard", resourceVersion: "2" }),
    fc.constant<InformerEvent>({ kind: "retryDue" }),
    fc.record<InformerEvent & { kind: "watchEnded" }>({
      kind: fc.constant("watchEnded"),
      how: fc.constantFrom("clean", "failed", "gone", "silent"),
      lasted: fc.boolean(),
    }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 50 }), (events) => {
      let step = stepInformer({ kind: "new" }, { kind: "start" });
      let under: string | undefined = "list";
      for (const each of events) {
        const before = step.state;
        step = stepInformer(before, each);
        for (const effect of step.effects) under = effect.kind;
        const wants: Partial<Record<InformerState["kind"], string>> = {
          listing: "list",
          watching: "watch",
          waiting: "wait",
        };
        assert.equal(under, wants[step.state.kind]);
      }
    }),
  );
});
