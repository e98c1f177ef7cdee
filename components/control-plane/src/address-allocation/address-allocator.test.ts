import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustomObject, InformerHandlers } from "@meltemi/kubernetes";
import { parseIp } from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { serviceEntryFacts } from "../compile/facts.fixture.ts";
import type { ServiceEntryFacts } from "../compile/facts.ts";
import { startAddressAllocator } from "./address-allocator.ts";

const sink = { filter: new LogFilter("error"), format: "plain", nowMs: () => 0, write: () => {} } as const;

interface Written {
  readonly name: string | undefined;
  readonly addresses: readonly { readonly value: string; readonly host: string }[];
}

/** Entries as the API server has them, and what is written of their status. */
function stage(...entries: readonly ServiceEntryFacts[]) {
  const facts = new Map(entries.map((entry) => [`${entry.namespace}/${entry.name}`, entry]));
  const written: Written[] = [];
  const object = ({ namespace, name }: ServiceEntryFacts): CustomObject => ({
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { namespace, name },
  });
  const start = () =>
    startAddressAllocator({
      clock: systemClock,
      random: () => 0,
      log: createLogger(sink, "test"),
      entries: facts,
      client: {
        async apply(_type, applied: CustomObject) {
          const { addresses = [] } = (applied.status ?? {}) as { addresses?: Written["addresses"] };
          written.push({ name: applied.metadata?.name, addresses });
          return applied as never;
        },
      },
      watch: {
        get: (key) => {
          const entry = facts.get(key);
          return entry && object(entry);
        },
        onChange(given: InformerHandlers<CustomObject>) {
          for (const entry of entries) given.add?.(object(entry));
          return () => {};
        },
      },
    });
  return { written, start };
}

const named = (name: string, changes: Partial<ServiceEntryFacts> = {}): ServiceEntryFacts =>
  serviceEntryFacts({ name, hosts: [`${name}.example`], resolution: "dns", ...changes });
const ip = parseIp("240.240.9.9") ?? assert.fail();

test("every entry in need gets addresses of its own, others are left alone", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `entry-${index}`);
  const { written, start } = stage(
    ...names.map((name) => named(name)),
    named("none", { resolution: "none" }),
  );
  const allocator = start();
  await eventually(() => written.length === names.length);
  await allocator.stop();
  const values = written.flatMap(({ addresses }) => addresses.map(({ value }) => value));
  assert.equal(new Set(values).size, 2 * names.length);
  assert.deepEqual(written.map(({ name }) => name).toSorted(), names.toSorted());
});

test("of two that have the same address, one keeps it", async () => {
  const [one, other] = [named("one"), named("other")].map((entry) => ({
    ...entry,
    allocatedAddresses: [{ host: entry.hosts[0] ?? "", ip }],
  }));
  assert.ok(one !== undefined && other !== undefined);
  const { written, start } = stage(one, other);
  const allocator = start();
  await eventually(() => written.length > 0);
  await allocator.stop();
  assert.deepEqual(
    written.map(({ name }) => name),
    ["other"],
  );
  assert.ok(written[0]?.addresses.every(({ value }) => value !== ip));
});
