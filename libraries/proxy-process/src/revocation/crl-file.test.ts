import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { test } from "node:test";
import {
  type Certificate,
  decodeCertificates,
  issueRevocationList,
  type RevocationList,
  writePem,
} from "@meltemi/identity";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createFakeClock, createTemporaryFolder, createTestAuthority, eventually } from "@meltemi/testkit";
import { followCrlFile } from "./crl-file.ts";

/** As a kubelet mounts a ConfigMap: `ca-crl.pem` → `..data/ca-crl.pem`, `..data` → the version. */
async function putVersion(folder: string, version: string, text: string | undefined): Promise<void> {
  await mkdir(`${folder}/..${version}`);
  if (text !== undefined) await writeFile(`${folder}/..${version}/ca-crl.pem`, text);
  await symlink(`..${version}`, `${folder}/..data_tmp`);
  await rename(`${folder}/..data_tmp`, `${folder}/..data`);
}

async function scene(
  first: string | undefined,
  known: () => Promise<readonly Certificate[]> = async () => [],
) {
  const folder = await createTemporaryFolder("crl-file");
  const registry = createRegistry();
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
  const rest = { clock, registry, authorities: known };
  const file = followCrlFile(folder.file("ca-crl.pem"), {
    ...rest,
    logger,
    onLists: (lists) => void seen.push(lists),
  });
  let isReady = false;
  void file.ready.then(() => {
    isReady = true;
  });
  await eventually(() => lines.length > 0);
  return {
    folder,
    rest,
    clock,
    seen,
    lines,
    file,
    isReady: () => isReady,
    count: (outcome: string) =>
      registry.exposition(undefined).body.match(`readings_total{outcome="${outcome}"} (\\d+)`)?.[1],
    /** A change was noticed and waits for its two seconds. */
    noticed: () => eventually(() => clock.pending > 0),
    entries: () => seen.map((lists) => lists.reduce((sum, { serialNumbers }) => sum + serialNumbers.size, 0)),
    async [Symbol.asyncDispose]() {
      file[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const { crlPem, revoke, issue, root, rootPem } = createTestAuthority();

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
  await eventually(() => it.lines.some((line) => /refused.*list 1 of 1.*the last good ones/.test(line)));
  await putVersion(it.folder.path, "v3", undefined);
  await it.noticed();
  it.clock.advance(2000);
  await eventually(() => it.lines.some((line) => /gone, the last good ones/.test(line)));
  await putVersion(it.folder.path, "v4", "\n");
  await it.noticed();
  it.clock.advance(2000);
  await eventually(() => it.count("absent") === "2");
  assert.equal(it.seen.length, 1);
  assert.equal(it.count("refused"), "1");
});

test("crl file: one that comes later is found", async () => {
  await using it = await scene(undefined);
  await eventually(it.isReady);
  assert.match(it.lines.join(""), /no revocation lists, no certificate counts as revoked/);
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
    ...it.rest,
    registry: createRegistry(),
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
  using _file = followCrlFile(pipe, {
    ...it.rest,
    registry: createRegistry(),
    logger: createLogger(sink, "crl"),
    onLists: () => assert.fail(),
  });
  await eventually(() => /expected a regular file/.test(lines.join("")));
});

test("crl file: nothing happens after it was disposed of", async () => {
  await using it = await scene(crlPem());
  await writeFile(it.folder.file("noise"), "");
  await it.noticed();
  it.file[Symbol.dispose]();
  assert.equal(it.clock.pending, 0);
});

const rootsOf = (pem: string): (() => Promise<readonly Certificate[]>) => {
  const roots = decodeCertificates(pem);
  assert.ok(roots.kind === "ok");
  return async () => roots.value;
};
const stranger = createTestAuthority();
const cut = crlPem().split("\n").with(2, "AAAA").join("\n");
const first: readonly {
  readonly name: string;
  readonly text: string | undefined;
  readonly known?: () => Promise<readonly Certificate[]>;
  readonly want: RegExp | "ready";
}[] = [
  { name: "a list", text: crlPem(), known: rootsOf(rootPem), want: "ready" },
  {
    name: "a list of a CA that is not known",
    text: crlPem(),
    known: rootsOf(stranger.rootPem),
    want: "ready",
  },
  { name: "no file", text: undefined, want: "ready" },
  { name: "an empty file", text: "", want: "ready" },
  { name: "a malformed file", text: "not a list", want: /refused.*no PEM block.*no traffic is served/ },
  { name: "a damaged list", text: cut, want: /refused.*list 1 of 1.*no traffic is served/ },
  { name: "a badly signed list", text: forgedPem(), known: rootsOf(rootPem), want: /not signed by the CA/ },
  {
    name: "roots that cannot be read",
    text: crlPem(),
    known: () => Promise.reject(new Error("EACCES")),
    want: /refused.*EACCES/,
  },
];
for (const { name, text, known, want } of first)
  test(`crl file: ${name} at start ${want === "ready" ? "lets it begin" : "holds it back until there is a good one"}`, async () => {
    await using it = await scene(text, known);
    if (want === "ready") {
      await eventually(it.isReady);
      return;
    }
    await eventually(() => it.lines.some((line) => want.test(line)));
    assert.equal(it.isReady(), false);
    assert.deepEqual(it.seen, []);
    if (name.startsWith("roots")) return;
    await putVersion(it.folder.path, "v2", crlPem());
    await eventually(async () => {
      await it.clock.settle(10_000);
      return it.isReady();
    });
    assert.equal(it.seen.length, 1);
  });

/** A list in the name of our root, by a key that is not its own. */
function forgedPem(): string {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const life = { thisUpdateMs: Date.now() - 1000, nextUpdateMs: Date.now() + 3_600_000 };
  return writePem(
    issueRevocationList({ ...root, key }, { serialNumbers: [], number: 1, ...life }),
    "X509 CRL",
  );
}
