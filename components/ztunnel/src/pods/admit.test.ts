import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { createAdmission } from "@meltemi/proxy-process";
import { createLogger, LogFilter, MeshError } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { admit, type Refusal } from "./admit.ts";
import { createConnectionTable } from "./connection-table.ts";
import type { PodContext } from "./pod-context.ts";

const FAILURE = new Error("an error of ours");

for (const [name, places, serve, want] of [
  ["served", 1, async () => "served" as const, []],
  [
    "no place",
    0,
    async () => "served" as const,
    ["log too many connections: this proxy holds 0", "answer 503"],
  ],
  [
    "refused by a decision",
    1,
    async () => ({ message: "no such port", status: 400 as const }),
    ["log no such port", "answer 400"],
  ],
  ["refused without a status", 1, async () => ({ message: "unknown" }), ["log unknown", "answer 503"]],
  [
    "the world failed",
    1,
    () => Promise.reject(new MeshError("ABORTED", "gone")),
    ["answer 503", "warn gone"],
  ],
  ["we failed", 1, () => Promise.reject(FAILURE), ["answer 503", "report an error of ours"]],
  [
    "we failed at once",
    1,
    () => {
      throw FAILURE;
    },
    ["answer 503", "report an error of ours"],
  ],
] as const satisfies readonly (readonly [
  string,
  number,
  () => Promise<Refusal | "served">,
  readonly string[],
])[])
  test(`admit: ${name}: ${want.join(", ")}`, async () => {
    const told: string[] = [];
    const admission = createAdmission({ process: places, pod: places });
    const sink = {
      filter: new LogFilter("warn"),
      format: "json",
      nowMs: () => 0,
      write: (line: string) => void told.push(`warn ${JSON.parse(line).error}`),
    } as const;
    const connections = createConnectionTable({ clock: createFakeClock() });
    const given: Pick<PodContext, "admission" | "connections" | "logger" | "reportInternalError"> & {
      readonly telemetry: Pick<PodContext["telemetry"], "refused">;
    } = {
      admission: admission.forPod(),
      connections,
      logger: createLogger(sink, "proxy"),
      reportInternalError: (_part, error) => void told.push(`report ${(error as Error).message}`),
      telemetry: { refused: (_from, _to, _direction, why) => void told.push(`log ${why}`) },
    };
    const newcomer = {
      direction: "inbound",
      client: { ip: ip("10.0.0.1"), port: 1 },
      destination: { ip: ip("10.0.0.2"), port: 2 },
      refuse: (status: number) => void told.push(`answer ${status}`),
    } as const;
    await admit(given as PodContext, newcomer, serve);
    assert.deepEqual(told, want);
    assert.equal(admission.connections, 0);
    assert.deepEqual(await connections.drain(1000), { cut: 0 });
  });
