import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import type { RevocationList } from "@meltemi/identity";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, createTemporaryFolder, createTestAuthority, eventually } from "@meltemi/testkit";
import { followCrlFile } from "./crl-file.ts";

/** As a kubelet mounts a ConfigMap: `ca-crl.pem` → `..data/ca-crl.pem`, `..data` → the version. */
async function putVersion(folder: string, version: string, text: string | undefined): Promise<void> {
  await mkdir(`${folder}/..${version}`);
  if (text !== undefined) await writeFile(`${folder}/..${version}/ca-crl.pem`, text);
  await symlink(`..${version}`, `${folder}/..data_tmp`);
  await rename(`${folder}/..data_tmp`, `${folder}/..data`);
}

async function scene(first: string | undefined) {
  const folder = await createTemporaryFolder("crl-file");
  const authority = createTestAuthority();
  const clock = createFakeClock(Date.now());
  const seen: (readonly RevocationList[])[] = [];
  const lines: string[] = [];
  const logger = createLogger(
    {
      filter: new LogFilter("info"),
      format: "plain",
      nowMs: () => 0,
      write: (line) => void lines.push(line),
    },
    "crl",
  );
  await symlink("..data/ca-crl.pem", folder.file("ca-crl.pem"));
  if (first !== undefined) await putVersion(folder.path, "v1", first);
  const file = followCrlFile(folder.file("ca-crl.pem"), {
    clock,
    logger,
    onLists: (lists) => void seen.push(lists),
  });
  await file.ready;
  return {
    folder,
    authority,
    clock,
    seen,
    lines,
    file,
    /** A change was noticed and waits for its two seconds. */
    noticed: () => eventually(() => clock.pending > 0),
    entries: () => seen.map((lists) => lists.reduce((sum, { serialNumbers }) => sum + serialNumbers.size, 0)),
    async [Symbol.asyncDispose]() {
      file[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const { crlPem, revoke, issue } = createTestAuthority();

test("crl file: a swapped symbolic link is seen, two seconds after the first change and no earlier", async () => {
  await using it = await scene(crlPem());
  revoke(issue("default/one").leaf);
  await putVersion(it.folder.path, "v2", crlPem());
  await it.noticed();
  it.clock.advance(1999);
  assert.deepEqual(it.entries(), [0]);
  it.clock.advance(1);
  await eventually(() => it.seen.length === 2);
  assert.deepEqual(it.entries(), [0, 1]);
});

test("crl file: changes without pause do not delay it", async () => {
  await using it = await scene(crlPem());
  for (let second = 0; second < 2; second++) {
    await writeFile(it.folder.file(`noise-${second}`), "");
    await it.noticed();
    it.clock.advance(1000);
  }
  await eventually(() => it.seen.length === 2);
});

test("crl file: an unreadable version keeps the last good one in force, and says so", async () => {
  await using it = await scene(crlPem());
  await putVersion(it.folder.path, "v2", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
  await it.noticed();
  it.clock.advance(2000);
  await eventually(() => it.lines.some((line) => /not read.*list 1 of 1.*the last good ones/.test(line)));
  await putVersion(it.folder.path, "v3", undefined);
  await it.noticed();
  it.clock.advance(2000);
  await eventually(() => it.lines.some((line) => /not read.*ENOENT.*the last good ones/.test(line)));
  assert.equal(it.seen.length, 1);
});

test("crl file: one that comes later is found", async () => {
  await using it = await scene(undefined);
  assert.match(it.lines.join(""), /not read.*ENOENT.*none/);
  await putVersion(it.folder.path, "v1", crlPem());
  await it.noticed();
  it.clock.advance(2000);
  await eventually(() => it.seen.length === 1);
});

test("crl file: a directory that comes later is found, and one that is replaced is followed", async () => {
  await using it = await scene(crlPem());
  const folder = it.folder.file("later");
  const seen: unknown[] = [];
  using file = followCrlFile(`${folder}/crl.pem`, {
    clock: it.clock,
    logger: createLogger(
      { filter: new LogFilter("info"), format: "plain", nowMs: () => 0, write: () => undefined },
      "crl",
    ),
    onLists: (lists) => void seen.push(lists),
  });
  await file.ready;
  for (const want of [1, 2]) {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    await writeFile(`${folder}/crl.pem`, crlPem());
    await eventually(async () => {
      await it.clock.settle(10_000);
      return seen.length >= want;
    });
  }
});

test("crl file: a named pipe is refused at once", async () => {
  await using it = await scene(crlPem());
  const pipe = it.folder.file("pipe");
  execFileSync("/usr/bin/mkfifo", [pipe]);
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  const sink = { filter: new LogFilter("info"), format: "plain", nowMs: () => 0, write } as const;
  using file = followCrlFile(pipe, {
    clock: it.clock,
    logger: createLogger(sink, "crl"),
    onLists: () => assert.fail(),
  });
  await file.ready;
  assert.match(lines.join(""), /expected a regular file/);
});

test("crl file: nothing happens after it was disposed of", async () => {
  await using it = await scene(crlPem());
  await writeFile(it.folder.file("noise"), "");
  await it.noticed();
  it.file[Symbol.dispose]();
  assert.equal(it.clock.pending, 0);
});
