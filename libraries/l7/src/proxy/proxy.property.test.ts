import assert from "node:assert/strict";
import { test } from "node:test";
import { HeaderFields, type HttpFault } from "@meltemi/http";
import type { RetryPolicy } from "@meltemi/model/l7";
import { createFakeClock } from "@meltemi/testkit";
import fc from "fast-check";
import { CONTINUE } from "../request-context.ts";
import type { FakeTry } from "./fake-endpoints.fixture.ts";
import type { FakeExchange } from "./fake-exchange.fixture.ts";
import { type BenchOptions, CLUSTER, createProxyBench, type ProxyBench } from "./proxy.fixture.ts";

/**
 * Whatever clients and endpoints do, and in whatever order: every exchange ends in exactly one record, everything that was counted
 * is given back, no timer is left, a body arrives whole or not at all, and a response is that of one try.
 */

interface Kind {
  readonly hasBody: boolean;
  readonly method: "GET" | "POST";
  readonly expectsContinue: boolean;
  readonly upgrade: boolean;
}

type Step =
  | { readonly kind: "send"; readonly what: Kind }
  | { readonly kind: "clientData" | "clientEnd" | "clientLeaves" | "clientWritable"; readonly who: number }
  | { readonly kind: "clientStalls"; readonly who: number }
  | { readonly kind: "respond"; readonly who: number; readonly status: number; readonly ended: boolean }
  | { readonly kind: "serverData" | "serverEnd" | "serverWritable"; readonly who: number }
  | { readonly kind: "inform"; readonly who: number; readonly status: number }
  | { readonly kind: "fault"; readonly who: number; readonly fault: HttpFault }
  | { readonly kind: "refuse"; readonly uid: string }
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "settle" };

const who = fc.nat(5);
const FAULTS: readonly HttpFault[] = [
  { kind: "refused", detail: "refused" },
  { kind: "reset", detail: "closed" },
  { kind: "reset", stale: true, detail: "closed" },
  { kind: "reset", http2Code: 8, detail: "cancelled" },
  { kind: "protocol", detail: "bad" },
];
const what: fc.Arbitrary<Kind> = fc
  .record({
    hasBody: fc.boolean(),
    isPost: fc.boolean(),
    continues: fc.boolean(),
    upgrade: fc.nat(5).map((dice) => dice === 0),
  })
  .map(({ hasBody, isPost, continues, upgrade }) => ({
    hasBody: hasBody || upgrade,
    method: isPost && !upgrade ? "POST" : "GET",
    expectsContinue: continues && hasBody && !upgrade,
    upgrade,
  }));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("send" as const), what }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constantFrom("clientData", "clientEnd", "clientWritable"), who }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom("clientLeaves", "clientStalls"), who }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("respond" as const),
      who,
      status: fc.constantFrom(200, 204, 404, 500, 503),
      ended: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constantFrom("serverData", "serverEnd", "serverWritable"), who }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("inform" as const), who, status: fc.constantFrom(100, 103) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("fault" as const), who, fault: fc.constantFrom(...FAULTS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("refuse" as const), uid: fc.constantFrom("a", "b") }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.nat(1500) }) },
  { weight: 8, arbitrary: fc.constant({ kind: "settle" } as const) },
);

const retry: fc.Arbitrary<RetryPolicy> = fc.record({
  retries: fc.nat(3),
  on: fc.subarray(["5xx", "reset", "refused-stream", "connect-failure", "reset-before-request"] as const),
  statusCodes: fc.constant([]),
  perTryTimeoutMs: fc.constantFrom(1_000_000, 40, 700),
  backoffBaseMs: fc.constant(25),
  backoffMaxMs: fc.constant(250),
  avoidPreviousHosts: fc.boolean(),
  otherLocalities: fc.constant(false),
});
const options = fc
  .record({
    retry,
    timeoutMs: fc.option(fc.constantFrom(100, 1000), { nil: undefined }),
    mirrors: fc.nat(2),
    delayMs: fc.constantFrom(0, 0, 50),
    filter: fc.constantFrom("none", "sync", "async", "denies"),
    maxHeldBytes: fc.constantFrom(0, 30, 1_000_000),
    bounds: fc.record({
      maxRequests: fc.constantFrom(2, 100),
      maxPendingRequests: fc.constantFrom(1, 100),
      maxConnections: fc.constantFrom(1, 100),
      maxRetries: fc.constantFrom(1, 100),
    }),
    endpoints: fc.constantFrom([], ["a"], ["a", "b", "c"]),
  })
  .map(({ retry, timeoutMs, mirrors, delayMs, filter, ...rest }): BenchOptions => {
    const target = { kind: "cluster", cluster: CLUSTER.name } as const;
    const reply = { status: 403, body: "no", headers: [], flag: "", details: "denied" };
    return {
      ...rest,
      filters:
        filter === "none"
          ? []
          : [
              {
                name: filter,
                onRequest: () =>
                  filter === "sync"
                    ? CONTINUE
                    : filter === "async"
                      ? Promise.resolve(CONTINUE)
                      : { kind: "reply", reply },
              },
            ],
      routes: [
        {
          name: "all",
          matches: [],
          ...(delayMs > 0 && { fault: { delay: { durationMs: delayMs, percent: 100 } } }),
          action: {
            kind: "forward",
            targets: [{ target, weight: 1 }],
            mirrors: Array.from({ length: mirrors }, () => ({ cluster: CLUSTER.name, percent: 100 })),
            retry,
            ...(timeoutMs !== undefined && { timeoutMs }),
          },
        },
      ],
    };
  });

/** A client that keeps the rules of {@link FakeExchange}: it says nothing that its codec would not deliver. */
class Client {
  readonly exchange: FakeExchange;
  readonly what: Kind;
  sent = "";
  ended: boolean;

  constructor(exchange: FakeExchange, what: Kind) {
    this.exchange = exchange;
    this.what = what;
    this.ended = !what.hasBody;
  }

  get isOpen(): boolean {
    return !this.exchange.left && this.exchange.aborted === undefined;
  }

  get maySpeak(): boolean {
    const { receiver, head, ended } = this.exchange;
    const isTunnel = head?.status === 101;
    const isHeard = isTunnel || !ended;
    const isAccepted = !this.what.upgrade || isTunnel;
    return this.isOpen && receiver !== undefined && !this.ended && isHeard && isAccepted;
  }

  data(): void {
    if (!this.maySpeak || this.exchange.paused) return;
    const piece = `[${this.sent.length}]`;
    this.sent += piece;
    this.exchange.receiver?.onData(Buffer.from(piece), false);
  }

  end(): void {
    if (!this.maySpeak || this.exchange.paused) return;
    this.ended = true;
    this.exchange.receiver?.onEnd(undefined);
  }

  writable(): void {
    const { head, ended, receiver } = this.exchange;
    this.exchange.writable = true;
    if (this.isOpen && head !== undefined && !ended) receiver?.onWritable();
  }

  leave(): void {
    const { head, ended } = this.exchange;
    const isOver = ended && (head?.status !== 101 || this.ended);
    if (this.isOpen && !isOver) this.exchange.leave();
  }
}

class World {
  readonly clock = createFakeClock();
  readonly bench: ProxyBench;
  readonly clients: Client[] = [];
  readonly #saidBy = new Map<FakeTry, string>();

  constructor(given: BenchOptions) {
    this.bench = createProxyBench(this.clock, given);
  }

  async run(step: Step): Promise<void> {
    switch (step.kind) {
      case "send":
        return this.#send(step.what);
      case "clientData":
        return this.#client(step.who)?.data();
      case "clientEnd":
        return this.#client(step.who)?.end();
      case "clientWritable":
        return this.#client(step.who)?.writable();
      case "clientLeaves":
        return this.#client(step.who)?.leave();
      case "clientStalls": {
        const client = this.#client(step.who);
        if (client !== undefined) client.exchange.writable = false;
        return;
      }
      case "refuse":
        return void this.bench.refusing.add(step.uid);
      case "wait":
        return this.clock.advance(step.ms);
      case "settle":
        return this.bench.settle();
      default:
        return this.#serve(step);
    }
  }

  #client(index: number): Client | undefined {
    return this.clients[index % Math.max(1, this.clients.length)];
  }

  #send(what: Kind): void {
    const { method, expectsContinue, upgrade, hasBody } = what;
    const exchange = this.bench.send(
      {
        method,
        expectsContinue,
        headers: HeaderFields.of(["x-number", String(this.clients.length)]),
        ...(upgrade && { upgrade: "websocket" }),
      },
      hasBody,
    );
    this.clients.push(new Client(exchange, what));
  }

  #serve(step: Extract<Step, { who: number; kind: string }>): void {
    const open = this.bench.tries.filter(({ isOver }) => !isOver);
    const attempt = open[step.who % Math.max(1, open.length)];
    if (attempt === undefined) return;
    const isWaiting = attempt.status === 0;
    const isUpgrade = attempt.head.upgrade !== undefined;
    if (step.kind === "respond" && isWaiting)
      attempt.respond(isUpgrade && !step.ended ? 101 : step.status, step.ended);
    else if (step.kind === "inform" && isWaiting)
      attempt.receiver.onInformational(step.status, new HeaderFields());
    else if (step.kind === "fault") attempt.fail(step.fault);
    else if (step.kind === "serverWritable" && !attempt.ended) attempt.receiver.onWritable();
    else if (isWaiting || attempt.responseEnded) return;
    else if (step.kind === "serverEnd") attempt.finish();
    else if (step.kind === "serverData" && !attempt.paused) {
      const piece = `<${this.bench.tries.indexOf(attempt)}>`;
      this.#saidBy.set(attempt, (this.#saidBy.get(attempt) ?? "") + piece);
      attempt.receiver.onData(Buffer.from(piece), false);
    }
  }

  /** Everybody leaves, and time passes. */
  async conclude(): Promise<void> {
    for (const client of this.clients) client.leave();
    for (let round = 0; round < 40; round++) {
      await this.bench.settle();
      this.clock.advance(200_000);
    }
    this.bench.retire();
    await this.bench.settle();
  }

  check(): void {
    const { records, limits, heldBytes, endpoints, errors, tries } = this.bench;
    assert.deepEqual(errors, []);
    assert.equal(records.length, this.clients.length, "one record for each exchange");
    assert.equal(new Set(records.map(({ context }) => context)).size, records.length);
    const { requests, pending, retries, connections } = limits;
    const counted = { requests, pending, retries, connections, heldBytes: heldBytes.bytes };
    assert.deepEqual(counted, { requests: 0, pending: 0, retries: 0, connections: 0, heldBytes: 0 });
    assert.deepEqual(
      endpoints.map(({ active }) => active),
      endpoints.map(() => 0),
    );
    assert.equal(this.clock.pending, 0, "no timer is left");
    assert.ok(tries.every(({ isOver }) => isOver));
    for (const attempt of tries) this.#checkTry(attempt);
    for (const client of this.clients) this.#checkClient(client);
  }

  #checkTry({ head, body, ended }: FakeTry): void {
    const client = this.clients[Number(head.headers.get("x-number"))];
    assert.ok(client);
    assert.ok(client.sent.startsWith(body), `${body} of ${client.sent}`);
    if (!ended) return;
    assert.ok(client.ended, "an end that the client has not said");
    assert.equal(body, client.sent);
  }

  #checkClient({ exchange }: Client): void {
    const piece = /^<\d+>/.exec(exchange.body)?.[0];
    if (piece === undefined) return;
    const attempt = this.bench.tries[Number(piece.slice(1, -1))];
    assert.ok(attempt);
    const said = this.#saidBy.get(attempt) ?? "";
    assert.ok(said.startsWith(exchange.body));
    if (exchange.ended) assert.equal(exchange.body, said);
  }
}

test("every exchange ends in exactly one record, and everything that was counted is given back", async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { minLength: 5, maxLength: 80 }), async (given, steps) => {
      const world = new World(given);
      for (const next of steps) await world.run(next);
      await world.conclude();
      world.check();
    }),
    { numRuns: 500 },
  );
});
