import assert from "node:assert/strict";
import { close, constants, openSync, write } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import fc from "fast-check";
import { runProgram } from "../../network/run-program.ts";
import { openContainerLog } from "./container-log.ts";
import { MAX_ENTRY_BYTES, parseEntry, splitOutput } from "./line.ts";
import { type LogOptions, readLog } from "./read-log.ts";

const NOW_MS = Date.parse("2026-01-02T03:04:05.678Z");
const STAMP = "2026-01-02T03:04:05.678000000Z";
const EMPTY = Buffer.alloc(0);
const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
  "test",
);

test("splitOutput: whole lines, the rest for later, and the end", () => {
  const first = splitOutput(EMPTY, Buffer.from("one\ntwo\nthr"), NOW_MS);
  assert.equal(first.entries.toString(), `${STAMP} stdout F one\n${STAMP} stdout F two\n`);
  const second = splitOutput(first.rest, Buffer.from("ee\n"), NOW_MS);
  assert.equal(second.entries.toString(), `${STAMP} stdout F three\n`);
  assert.equal(
    splitOutput(Buffer.from("end"), EMPTY, NOW_MS, true).entries.toString(),
    `${STAMP} stdout F end\n`,
  );
});

test("splitOutput: a long line becomes partial entries, and nothing is buffered without bound", () => {
  const { entries, rest } = splitOutput(EMPTY, Buffer.alloc(MAX_ENTRY_BYTES * 2 + 5, 0x61), NOW_MS);
  assert.equal(
    entries
      .toString()
      .split("\n")
      .filter((line) => line.startsWith(`${STAMP} stdout P `)).length,
    2,
  );
  assert.equal(rest.length, 5);
});

test("what was split is put together again, however the chunks fall", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }), (chunks) => {
      let rest: Buffer = EMPTY;
      const written: Buffer[] = [];
      for (const chunk of chunks) {
        const split = splitOutput(rest, Buffer.from(chunk), NOW_MS);
        written.push(split.entries);
        rest = split.rest;
      }
      written.push(splitOutput(rest, EMPTY, NOW_MS, true).entries);
      const whole = Buffer.concat(chunks);
      const expected =
        whole.length === 0 || whole.at(-1) === 10 ? whole : Buffer.concat([whole, Buffer.from("\n")]);
      assert.deepEqual(textOf(Buffer.concat(written)), expected);
    }),
  );
});

function textOf(file: Buffer): Buffer {
  const texts: Buffer[] = [];
  for (let start = 0, end = file.indexOf(10); end >= 0; start = end + 1, end = file.indexOf(10, start))
    texts.push(parseEntry(file.subarray(start, end))?.text ?? EMPTY);
  return Buffer.concat(texts);
}

for (const line of ["", "x", `${STAMP} stdout X a`, `${"9".repeat(30)} stdout F a`, STAMP])
  test(`parseEntry refuses ${JSON.stringify(line)}`, () =>
    assert.equal(parseEntry(Buffer.from(line)), undefined));

async function withLog(text: string, check: (path: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "meltemi-log-"));
  try {
    await writeFile(join(folder, "1.log"), text);
    await check(join(folder, "1.log"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

const at = (second: number, text: string, tag = "F"): string =>
  `2026-01-02T03:04:0${second}.000000000Z stdout ${tag} ${text}\n`;
const OLD = at(1, "one") + at(2, "two") + at(3, "thr", "P") + at(3, "ee") + at(4, "four");

const cases: readonly { name: string; options: LogOptions; want: string }[] = [
  { name: "all", options: {}, want: "one\ntwo\nthree\nfour\n" },
  { name: "the last two", options: { tailLines: 2 }, want: "ee\nfour\n" },
  { name: "none of the old", options: { tailLines: 0 }, want: "" },
  { name: "more than there are", options: { tailLines: 99 }, want: "one\ntwo\nthree\nfour\n" },
  { name: "the last three seconds", options: { sinceSeconds: 3 }, want: "three\nfour\n" },
  { name: "since a time", options: { sinceTime: "2026-01-02T03:04:04Z" }, want: "four\n" },
  { name: "since a time that is none", options: { sinceTime: "yesterday" }, want: "one\ntwo\nthree\nfour\n" },
  {
    name: "with times",
    options: { tailLines: 1, timestamps: true },
    want: "2026-01-02T03:04:04.000000000Z four\n",
  },
  {
    name: "following a container that has ended",
    options: { follow: true },
    want: "one\ntwo\nthree\nfour\n",
  },
];
for (const { name, options, want } of cases)
  test(`readLog: ${name}`, () =>
    withLog(OLD, async (path) => {
      const nowMs = Date.parse("2026-01-02T03:04:06Z");
      const chunks = await collect(readLog({ path, live: undefined }, options, nowMs));
      assert.equal(Buffer.concat(chunks).toString(), want);
    }));

test("readLog: no file is an empty log", async () => {
  assert.deepEqual(await collect(readLog({ path: "/nonexistent/1.log", live: undefined }, {}, 0)), []);
});

test("a live log is followed across rotations to the container's end", async () => {
  const folder = await mkdtemp(join(tmpdir(), "meltemi-log-"));
  try {
    const [fifo, path] = [join(folder, "output"), join(folder, "1.log")];
    await runProgram("mkfifo", [fifo]);
    const live = await openContainerLog({ fifo, path, maxFileBytes: 2000 }, { clock: systemClock, log });
    const writer = openSync(fifo, constants.O_RDWR);
    const followed: Buffer[] = [];
    const reading = (async () => {
      for await (const chunk of readLog({ path, live }, { follow: true }, 0)) followed.push(chunk);
    })();
    let expected = "";
    for (let number = 0; number < 100; number++) {
      await promisify(write)(writer, `line ${number}\n`, null);
      expected += `line ${number}\n`;
      await eventually(() => Buffer.concat(followed).length === expected.length);
    }
    await promisify(close)(writer);
    await reading;
    assert.equal(Buffer.concat(followed).toString(), expected);
    assert.ok(live.ended && live.generation >= 2);
    assert.ok((await readFile(path)).length <= 2000 && (await readFile(`${path}.1`)).length <= 2000);
  } finally {
    await rm(folder, { recursive: true });
  }
});
