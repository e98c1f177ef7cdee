import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import {
  certificatePem,
  createIntermediateAuthority,
  createRootAuthority,
  type Issuer,
  issueRevocationList,
  writePem,
} from "@meltemi/identity";
import { SECRETS, type Secret } from "@meltemi/kubernetes";
import { createLogger, LogFilter, type Logger, MeshError } from "@meltemi/runtime";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import { type AuthorityKeeper, startAuthorityKeeper } from "./authority-keeper.ts";
import type { SecretTexts } from "./authority-material.ts";
import { createMemoryApi, type MemoryApi } from "./memory-api.testing.ts";

const YEAR_MS = 365 * 24 * 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);
const SELF = "istio-system/istio-ca-secret";
const options = { namespace: "istio-system", organization: "cluster.local", revocationLists: true };
const life = { organization: "corp", notBeforeMs: START_MS - YEAR_MS, notAfterMs: START_MS + 5 * YEAR_MS };
const pem = (...issuers: readonly Issuer[]): string =>
  issuers.map((one) => certificatePem(one.certificate)).join("");
const keyPem = (issuer: Issuer): string => issuer.key.export({ format: "pem", type: "pkcs8" }).toString();

interface World {
  readonly api: MemoryApi;
  readonly clock: FakeClock;
  readonly lines: string[];
  start(overrides?: Partial<typeof options>): AuthorityKeeper;
}

function world(): World {
  const api = createMemoryApi();
  const clock = createFakeClock(START_MS);
  const lines: string[] = [];
  const sink = {
    filter: new LogFilter("debug"),
    format: "plain",
    nowMs: clock.nowMs,
    write: (line: string) => void lines.push(line),
  } as const;
  const log: Logger = createLogger(sink, "ca");
  return {
    api,
    clock,
    lines,
    start: (overrides = {}) =>
      startAuthorityKeeper(
        { ...options, ...overrides },
        { client: api, clock, random: Math.random, randomBytes, log },
      ),
  };
}

function secret(name: string, texts: SecretTexts): Secret {
  const data = Object.fromEntries(
    Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  );
  return { metadata: { name, namespace: "istio-system" }, data };
}

function pluggedIn(issuer: Issuer, ...roots: readonly Issuer[]): Secret {
  return secret("cacerts", {
    "ca-cert.pem": pem(issuer),
    "ca-key.pem": keyPem(issuer),
    "cert-chain.pem": "",
    "root-cert.pem": pem(...roots),
  });
}

test("without any Secret a self-signed CA is made once, kept, and found again after a restart", async () => {
  const { api, clock, lines, start } = world();
  const first = start();
  await clock.settle(1000);
  const made = await first.ready;
  assert.equal(made.source, "self-signed");
  assert.equal(api.get(SECRETS, SELF)?.type, "istio.io/ca-root");
  await first[Symbol.asyncDispose]();
  await using second = start();
  await clock.settle(1000);
  assert.deepEqual((await second.ready).issuer.certificate.der, made.issuer.certificate.der);
  assert.deepEqual(api.writes, [`create secrets ${SELF}`]);
  const key = keyPem(made.issuer).split("\n")[1] ?? "?";
  assert.ok(!lines.join().includes(key) && !lines.join().includes("PRIVATE KEY"));
});

test("two replicas that start together end with one root", async () => {
  const { api, clock, start } = world();
  const replicas = [start(), start(), start()];
  await clock.settle(5000);
  const [one, ...others] = await Promise.all(replicas.map((keeper) => keeper.ready));
  for (const other of others) assert.deepEqual(other.issuer.certificate.der, one?.issuer.certificate.der);
  assert.equal(api.writes.length, 1);
  for (const keeper of replicas) await keeper[Symbol.asyncDispose]();
});

test("an API server that fails the first write is asked again", async () => {
  const { api, clock, start } = world();
  api.failNextWrite = new MeshError("UNAVAILABLE", "HTTP 503");
  await using keeper = start();
  await clock.settle(5000);
  assert.ok(keeper.current);
});

test("a plugged-in CA is preferred, followed through a roll-over, and short cuts leave the old one in use", async () => {
  const { api, clock, start } = world();
  const [oldRoot, newRoot] = [
    createRootAuthority(life, randomBytes),
    createRootAuthority({ ...life, organization: "new" }, randomBytes),
  ];
  const oldCa = createIntermediateAuthority(oldRoot, { ...life, commonName: "old" }, randomBytes);
  const newCa = createIntermediateAuthority(newRoot, { ...life, commonName: "new" }, randomBytes);
  await api.create(SECRETS, pluggedIn(oldCa, oldRoot));
  await using keeper = start();
  const bundles: string[] = [];
  keeper.onChange((authority) => bundles.push(authority.rootBundlePem));
  await clock.settle(1000);
  assert.equal((await keeper.ready).source, "plugged-in");
  assert.equal(api.get(SECRETS, SELF), undefined, "no self-signed CA is made beside it");
  const put = async (next: Secret): Promise<void> => {
    await api.replace(SECRETS, next);
    await clock.settle(1000);
  };
  await put(pluggedIn(newCa, newRoot));
  assert.equal(keeper.current?.issuer.certificate.serialNumber, oldCa.certificate.serialNumber);
  assert.match(keeper.problems.join(), /lacks the root of the certificates in use/);
  await put(pluggedIn(oldCa, oldRoot, newRoot));
  assert.deepEqual(keeper.problems, []);
  await put(pluggedIn(newCa, oldRoot, newRoot));
  assert.equal(keeper.current?.issuer.certificate.serialNumber, newCa.certificate.serialNumber);
  await put(pluggedIn(newCa, newRoot));
  assert.deepEqual(bundles, [pem(oldRoot), pem(oldRoot, newRoot), pem(oldRoot, newRoot), pem(newRoot)]);
  api.remove(SECRETS, "istio-system/cacerts");
  await clock.settle(1000);
  assert.match(keeper.problems.join(), /was deleted; the CA in use stays/);
  assert.equal(api.get(SECRETS, SELF), undefined);
});

test("a broken plugged-in CA is never replaced by a self-signed one; mended, it comes into use", async () => {
  const { api, clock, start, lines } = world();
  const root = createRootAuthority(life, randomBytes);
  await api.create(
    SECRETS,
    secret("cacerts", {
      "ca-cert.pem": pem(root),
      "ca-key.pem": "nonsense-secret",
      "root-cert.pem": pem(root),
    }),
  );
  await using keeper = start();
  await clock.settle(1000);
  assert.ok(!keeper.current);
  assert.match(keeper.problems.join(), /cacerts, ca-key\.pem/);
  assert.ok(!lines.join().includes("nonsense-secret"));
  assert.equal(api.get(SECRETS, SELF), undefined);
  await api.replace(SECRETS, pluggedIn(root, root));
  await clock.settle(1000);
  assert.equal((await keeper.ready).source, "plugged-in");
});

test("a deleted self-signed Secret is written back with the same key", async () => {
  const { api, clock, start } = world();
  await using keeper = start();
  await clock.settle(1000);
  const before = api.get(SECRETS, SELF)?.data;
  api.remove(SECRETS, SELF);
  await clock.settle(1000);
  assert.deepEqual(api.get(SECRETS, SELF)?.data, before);
  assert.ok(keeper.current);
});

test("a self-signed CA is renewed in its last fifth with the same key, by one of the replicas", async () => {
  const { api, clock, start } = world();
  const first = start();
  await clock.settle(1000);
  const old = await first.ready;
  await first[Symbol.asyncDispose]();
  clock.advance(8.5 * YEAR_MS);
  const replicas = [start(), start()];
  await clock.settle(10_000);
  for (const keeper of replicas) {
    assert.notEqual(keeper.current?.issuer.certificate.serialNumber, old.issuer.certificate.serialNumber);
    assert.deepEqual(keeper.current?.issuer.certificate.publicKeySpki, old.issuer.certificate.publicKeySpki);
    assert.equal(keeper.current?.roots.length, 2);
    await keeper[Symbol.asyncDispose]();
  }
  assert.deepEqual(api.writes, [`create secrets ${SELF}`, `replace secrets ${SELF}`]);
});

const listPem = (issuer: Issuer, ...serialNumbers: readonly string[]): string => {
  const validity = { thisUpdateMs: START_MS, nextUpdateMs: START_MS + YEAR_MS };
  return writePem(issueRevocationList(issuer, { serialNumbers, number: 1, ...validity }), "X509 CRL");
};

test("revocation lists: followed; a bad or a missing one leaves the last good one in use, and is told", async () => {
  const { api, clock, start } = world();
  const root = createRootAuthority(life, randomBytes);
  const plugged = (lists: string | undefined): Secret => {
    const { metadata, data } = pluggedIn(root, root);
    const added = lists === undefined ? {} : { "ca-crl.pem": Buffer.from(lists).toString("base64") };
    return { ...(metadata && { metadata }), data: { ...data, ...added } };
  };
  const [one, two] = [listPem(root, "0A"), listPem(root, "0A", "0B")];
  await api.create(SECRETS, plugged(one));
  await using keeper = start();
  const seen: string[] = [];
  keeper.onChange(({ revocationListsPem }) => seen.push(revocationListsPem));
  await clock.settle(1000);
  const put = async (lists: string | undefined): Promise<string> => {
    await api.replace(SECRETS, plugged(lists));
    await clock.settle(1000);
    return keeper.problems.join();
  };
  assert.match(await put("nonsense"), /cacerts, ca-crl\.pem: no PEM block X509 CRL/);
  assert.equal(await put(two), "");
  assert.match(await put(undefined), /ca-crl\.pem: gone; the lists in use stay/);
  assert.equal(await put(one), "");
  assert.deepEqual(seen, [one, two, one]);
});

test("revocation lists: a bad one at start holds the CA back; switched off, nobody looks at it", async () => {
  const { api, clock, start } = world();
  const root = createRootAuthority(life, randomBytes);
  const { metadata, data } = pluggedIn(root, root);
  const bad = Buffer.from("nonsense").toString("base64");
  await api.create(SECRETS, { ...(metadata && { metadata }), data: { ...data, "ca-crl.pem": bad } });
  await using keeper = start();
  await using indifferent = start({ revocationLists: false });
  await clock.settle(1000);
  assert.equal(keeper.current, undefined);
  assert.match(keeper.problems.join(), /ca-crl\.pem/);
  assert.equal(indifferent.current?.revocationListsPem, "");
});
