import assert from "node:assert/strict";
import { test } from "node:test";
import { indexLog, readOutbound } from "./access-log.ts";

const START = "2026-11-22T14:34:49.835000Z\tinfo\taccess\tconnection complete\tsrc.addr=10.244.1.4:58332";
const ENDED_MS = Date.UTC(2026, 10, 22, 14, 34, 49, 835);
const IDENTITY = "spiffe://cluster.local/ns/t/sa/default";

const cases = [
  {
    name: "a tunnel counts with its peer, by the address that the client asked for",
    line: `${START} dst.addr=10.244.2.3:15008 dst.hbone_addr=10.244.2.3:8080 dst.identity="${IDENTITY}" direction="outbound"`,
    want: [{ key: "58332 10.244.2.3", endedMs: ENDED_MS, peer: IDENTITY }],
  },
  {
    name: "plaintext has no peer, even when the log knows who it is",
    line: `${START} dst.addr=10.244.2.3:8080 dst.identity="${IDENTITY}" direction="outbound"`,
    want: [{ key: "58332 10.244.2.3", endedMs: ENDED_MS, peer: undefined }],
  },
  {
    name: "a tunnel without an identity proves nothing",
    line: `${START} dst.addr=10.244.2.3:15008 dst.hbone_addr=10.244.2.3:8080 direction="outbound"`,
    want: [{ key: "58332 10.244.2.3", endedMs: ENDED_MS, peer: undefined }],
  },
  {
    name: "the other end's line is left out",
    line: `${START} dst.addr=10.244.2.3:15008 dst.hbone_addr=10.244.2.3:8080 direction="inbound"`,
    want: [],
  },
  { name: "other lines are left out", line: "info crl no revocation lists", want: [] },
  {
    name: "a line that is cut short is left out",
    line: 'direction="outbound" src.addr=10.244.1.4',
    want: [],
  },
] as const;

for (const { name, line, want } of cases)
  test(`access log: ${name}`, () => assert.deepEqual(readOutbound(line), want));

test("access log: a port that is used again is told apart by time, and what is not logged yet is unknown", () => {
  const key = "58332 10.244.2.3";
  const plain = { key, endedMs: 10_000, peer: undefined } as const;
  const tunnel = { key, endedMs: 14_000, peer: IDENTITY } as const;
  const find = indexLog([plain, tunnel]);
  assert.deepEqual([find(key, 10_020), find(key, 13_990)], [plain, tunnel]);
  assert.deepEqual([find(key, 12_000), find("1 10.244.2.3", 10_000)], [undefined, undefined]);
});
