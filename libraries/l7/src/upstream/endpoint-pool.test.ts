import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientConnection, ClientConnectionOwner, ClientExchange } from "@meltemi/http";
import { createFakeClock } from "@meltemi/testkit";
import { ConnectionLimits } from "./connection-limits.ts";
import {
  type ConnectionWaiter,
  type DialFailure,
  EndpointPool,
  type EndpointPoolOptions,
} from "./endpoint-pool.ts";

/** A connection whose exchanges the test ends. */
class Connection implements ClientConnection {
  readonly version = "HTTP/1.1";
  capacity: number;
  active = 0;
  drained = false;
  closed = false;
  readonly #owner: ClientConnectionOwner;

  constructor(owner: ClientConnectionOwner, capacity: number) {
    this.#owner = owner;
    this.capacity = capacity;
  }

  send(): ClientExchange {
    this.capacity--;
    this.active++;
    return {} as ClientExchange;
  }

  finish(): void {
    this.capacity++;
    this.active--;
    if (this.drained && this.active === 0) this.close();
    else this.#owner.onCapacity(this);
  }

  drain(): void {
    this.drained = true;
    this.capacity = 0;
    this.#owner.onDraining(this);
    if (this.active === 0) this.close();
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#owner.onClosed(this);
  }
}

function setUp(
  given: Partial<EndpointPoolOptions> = {},
  bounds: ConstructorParameters<typeof ConnectionLimits>[0] = {},
) {
  const clock = createFakeClock();
  const limits = new ConnectionLimits(bounds);
  const opened: Connection[] = [];
  const dials: {
    open(capacity?: number): Promise<void>;
    fail(): Promise<void>;
    readonly signal: AbortSignal;
  }[] = [];
  const errors: unknown[] = [];
  const pool = new EndpointPool(
    {
      connectTimeoutMs: 1000,
      idleTimeoutMs: 60_000,
      maxRequestsPerConnection: 0,
      requestsAtOnce: 1,
      ...given,
    },
    {
      clock,
      limits,
      onInternalError: (error) => errors.push(error),
      dial: (owner, signal) => {
        const { promise, resolve } = Promise.withResolvers<
          { kind: "open"; connection: Connection } | DialFailure
        >();
        const settled = async (): Promise<void> => {
          for (let turn = 0; turn < 5; turn++) await Promise.resolve();
        };
        signal.addEventListener("abort", () =>
          resolve({ kind: "failed", timedOut: false, detail: "aborted" }),
        );
        dials.push({
          signal,
          open(capacity = 1) {
            const connection = new Connection(owner, capacity);
            opened.push(connection);
            resolve({ kind: "open", connection });
            return settled();
          },
          fail() {
            resolve({ kind: "failed", timedOut: false, detail: "connection refused" });
            return settled();
          },
        });
        return promise;
      },
    },
  );
  return { clock, limits, pool, opened, dials, errors };
}

function waiter() {
  const got: (ClientConnection | DialFailure)[] = [];
  const waiting: ConnectionWaiter = {
    onConnection: (connection) => {
      got.push(connection);
      (connection as Connection).send();
    },
    onConnectFailed: (failure) => got.push(failure),
  };
  return { waiting, got };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

test("EndpointPool: a request waits for a dial, the next takes the connection that it left", async () => {
  const { pool, dials, opened } = setUp();
  const { waiting, got } = waiter();
  assert.equal(pool.take(), undefined);
  assert.equal(pool.wait(waiting), true);
  await dials[0]?.open();
  assert.equal(got[0], opened[0]);
  assert.equal(pool.take(), undefined, "the exchange runs");
  opened[0]?.finish();
  assert.equal(pool.take(), opened[0]);
  assert.equal(dials.length, 1);
});

test("EndpointPool: two who wait make two dials, and one that is freed first serves one of them", async () => {
  const { pool, dials } = setUp();
  const first = waiter();
  const second = waiter();
  pool.wait(first.waiting);
  pool.wait(second.waiting);
  assert.equal(dials.length, 2);
  await dials[1]?.open();
  assert.equal(first.got.length, 1);
  assert.equal(second.got.length, 0);
});

test("EndpointPool: an HTTP/2 connection serves as many as it has room for", async () => {
  const { pool, dials, opened } = setUp();
  const waiters = [waiter(), waiter(), waiter()];
  for (const { waiting } of waiters) pool.wait(waiting);
  await dials[0]?.open(2);
  assert.deepEqual(
    waiters.map(({ got }) => got.length),
    [1, 1, 0],
  );
  opened[0]?.finish();
  assert.deepEqual(
    waiters.map(({ got }) => got.length),
    [1, 1, 1],
  );
});

test("EndpointPool: a failed dial fails who waits", async () => {
  const { pool, dials } = setUp();
  const { waiting, got } = waiter();
  pool.wait(waiting);
  await dials[0]?.fail();
  assert.deepEqual(got, [{ kind: "failed", timedOut: false, detail: "connection refused" }]);
  assert.equal(pool.isEmpty, true);
});

test("EndpointPool: a dial that takes too long is given up and says so", async () => {
  const { pool, dials, clock } = setUp({ connectTimeoutMs: 50 });
  const { waiting, got } = waiter();
  pool.wait(waiting);
  await turns();
  clock.advance(50);
  await turns();
  assert.equal(dials[0]?.signal.aborted, true);
  assert.equal((got[0] as DialFailure | undefined)?.timedOut, true);
});

test("EndpointPool: who cancelled hears nothing", async () => {
  const { pool, dials, opened } = setUp();
  const { waiting, got } = waiter();
  pool.wait(waiting);
  pool.cancel(waiting);
  await dials[0]?.open();
  assert.equal(got.length, 0);
  assert.equal(pool.take(), opened[0], "the connection is kept for others");
});

test("EndpointPool: refuses to queue beyond the cluster's pending requests", () => {
  const { pool } = setUp({}, { maxPendingRequests: 1 });
  assert.equal(pool.wait(waiter().waiting), true);
  assert.equal(pool.wait(waiter().waiting), false);
});

test("EndpointPool: at the bound of connections a request waits for one to be free", async () => {
  const { pool, dials, opened } = setUp({}, { maxConnections: 1 });
  const first = waiter();
  const second = waiter();
  pool.wait(first.waiting);
  await dials[0]?.open();
  pool.wait(second.waiting);
  assert.equal(dials.length, 1);
  opened[0]?.finish();
  assert.equal(second.got[0], opened[0]);
});

test("EndpointPool: an endpoint without any connection dials beyond the bound, lest its requests wait for ever", () => {
  const { pool, limits, dials } = setUp({}, { maxConnections: 1 });
  assert.equal(limits.takeConnection(false), true, "another endpoint holds the only place");
  pool.wait(waiter().waiting);
  assert.equal(dials.length, 1);
});

test("EndpointPool: a connection takes no more requests than permitted", async () => {
  const { pool, dials, opened } = setUp({ maxRequestsPerConnection: 2 });
  const { waiting } = waiter();
  pool.wait(waiting);
  await dials[0]?.open();
  opened[0]?.finish();
  const connection = pool.take();
  assert.equal(connection, opened[0]);
  opened[0]?.send();
  pool.sent(opened[0] as ClientConnection);
  assert.equal(opened[0]?.drained, true);
  opened[0]?.finish();
  assert.equal(opened[0]?.closed, true);
  assert.equal(pool.connections, 0);
});

test("EndpointPool: idle connections are closed, used ones are not", async () => {
  const { pool, dials, opened, clock } = setUp({ idleTimeoutMs: 1000 });
  const waiters = [waiter(), waiter()];
  for (const { waiting } of waiters) pool.wait(waiting);
  await dials[0]?.open();
  await dials[1]?.open();
  opened[0]?.finish();
  clock.advance(1000);
  assert.equal(opened[0]?.closed, true);
  assert.equal(opened[1]?.closed, false);
  opened[1]?.finish();
  clock.advance(2000);
  assert.equal(opened[1]?.closed, true);
});

test("EndpointPool: a connection is retired at its age", async () => {
  const { pool, dials, opened, clock } = setUp({ maxConnectionDurationMs: 500 });
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  clock.advance(500);
  assert.equal(opened[0]?.drained, true);
  assert.equal(opened[0]?.closed, false, "its exchange runs on");
  opened[0]?.finish();
  assert.equal(opened[0]?.closed, true);
});

test("EndpointPool: when a busy connection breaks, who waited for it gets another", async () => {
  const { pool, dials, opened } = setUp({}, { maxConnections: 1 });
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  const second = waiter();
  pool.wait(second.waiting);
  opened[0]?.close();
  assert.equal(dials.length, 2);
  await dials[1]?.open();
  assert.equal(second.got[0], opened[1]);
});

test("EndpointPool: a removed endpoint ends idle connections, fails who waits, and lets running exchanges end", async () => {
  const { pool, dials, opened } = setUp();
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  const late = waiter();
  pool.wait(late.waiting);
  pool.drain();
  await turns();
  assert.equal((late.got[0] as DialFailure | undefined)?.detail, "the endpoint was removed");
  assert.equal(opened[0]?.closed, false);
  opened[0]?.finish();
  assert.equal(opened[0]?.closed, true);
  assert.equal(pool.wait(waiter().waiting), false);
  assert.equal(pool.isEmpty, true);
});

test("EndpointPool: a connection that has closed and not said so yet is not given away", async () => {
  const { pool, dials, opened } = setUp();
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  opened[0]?.finish();
  assert.ok(opened[0]);
  opened[0].capacity = 0;
  assert.equal(pool.take(), undefined);
});

test("EndpointPool: a request that could not be sent leaves its connection to the next", async () => {
  const { pool, dials, opened } = setUp();
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  opened[0]?.finish();
  const connection = pool.take();
  assert.ok(connection);
  pool.sent(connection);
  assert.equal(pool.take(), connection);
});

test("EndpointPool: an idle connection is closed within its time, one of many streams not while it is used", async () => {
  const { pool, dials, opened, clock } = setUp({ idleTimeoutMs: 1000 });
  pool.wait(waiter().waiting);
  await dials[0]?.open(100);
  const use = (): void => {
    const connection = pool.take() as Connection | undefined;
    assert.ok(connection, "still there");
    connection.send();
    // A connection that has always had room tells of none that became free.
    connection.capacity++;
    connection.active--;
  };
  if (opened[0] !== undefined) opened[0].active = 0;
  for (let time = 0; time < 20; time++) {
    clock.advance(240);
    use();
  }
  clock.advance(1000);
  assert.equal(opened[0]?.closed, true);
  assert.equal(clock.pending, 0);
});

test("EndpointPool: who waits for HTTP/2 shares a dial, and dials again when the server takes fewer", async () => {
  const { pool, dials } = setUp({ requestsAtOnce: 100 });
  const waiters = Array.from({ length: 50 }, () => waiter());
  for (const { waiting } of waiters) pool.wait(waiting);
  assert.equal(dials.length, 1);
  await dials[0]?.open(10);
  assert.equal(dials.length, 2);
  await dials[1]?.open(100);
  assert.ok(waiters.every(({ got }) => got.length === 1));
});

test("EndpointPool: a retired one serves who still comes, and keeps no connection", async () => {
  const { pool, dials, opened, limits, clock } = setUp();
  pool.wait(waiter().waiting);
  await dials[0]?.open();
  opened[0]?.finish();
  pool.wait(waiter().waiting);
  pool.retire();
  assert.equal(opened[0]?.closed, true);
  const served = async (index: number): Promise<void> => {
    await dials[index]?.open();
    const connection = opened[index];
    assert.equal(connection?.active, 1);
    pool.sent(connection);
    connection.finish();
    assert.equal(connection.closed, true);
  };
  await served(1);
  pool.wait(waiter().waiting);
  await served(2);
  assert.equal(pool.isEmpty, true);
  assert.deepEqual([limits.pending, clock.pending], [0, 0]);
});

test("EndpointPool: a waiter that throws leaves its connection counted once", async () => {
  const { pool, dials, opened, limits, errors } = setUp();
  pool.wait({ onConnection: () => assert.fail("broken waiter"), onConnectFailed: () => undefined });
  await dials[0]?.open();
  assert.equal(errors.length, 1);
  assert.equal(limits.connections, 1);
  opened[0]?.close();
  assert.equal(limits.connections, 0);
});
