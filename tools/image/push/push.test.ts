import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parseChallenge } from "./challenge.ts";
import { findCredentials } from "./credentials.ts";
import { parseReference } from "./reference.ts";

const references = [
  {
    name: "registry.example:5000/a/b:1.0",
    want: { host: "registry.example:5000", path: "a/b", credentialsKey: "registry.example:5000" },
  },
  {
    name: "docker.io/meltemi/pilot:1.0",
    want: {
      host: "registry-1.docker.io",
      path: "meltemi/pilot",
      credentialsKey: "https://index.docker.io/v1/",
    },
  },
  { name: "localhost/pilot:1.0", want: { host: "localhost", path: "pilot", credentialsKey: "localhost" } },
];
for (const { name, want } of references)
  test(`${name} is at ${want.host}`, () =>
    assert.deepEqual(parseReference(name), { repository: want, tag: "1.0" }));
for (const name of ["meltemi/pilot:1.0", "registry.example/pilot", "pilot:1.0"])
  test(`no registry to push to: ${name}`, () =>
    assert.throws(() => parseReference(name), /expected a registry/));

test("challenges of registries are understood", () => {
  assert.deepEqual(parseChallenge('Basic realm="x"'), { kind: "basic" });
  const bearer = parseChallenge(
    'Bearer realm="https://auth.example/token",service="r",scope="repository:a:push,pull"',
  );
  assert.deepEqual(bearer, {
    kind: "bearer",
    realm: new URL("https://auth.example/token"),
    service: "r",
    scope: "repository:a:push,pull",
  });
});
for (const header of [
  null,
  "",
  "Negotiate",
  'Bearer realm="http://auth.example"',
  'Bearer realm="x"',
  "Bearer",
])
  test(`no password follows from ${JSON.stringify(header)}`, () =>
    assert.equal(parseChallenge(header).kind, "unknown"));

const auth = Buffer.from("me:pass:word").toString("base64");
const configs = [
  {
    name: "auth",
    config: { auths: { "r.example": { auth } } },
    want: { username: "me", password: "pass:word" },
  },
  { name: "another registry", config: { auths: { "other.example": { auth } } }, want: undefined },
  { name: "nothing", config: {}, want: undefined },
  {
    name: "a helper that knows",
    config: { credsStore: "knows" },
    want: { username: "me", password: "kept" },
  },
  {
    name: "a helper of this registry",
    config: { credHelpers: { "r.example": "knows" } },
    want: { username: "me", password: "kept" },
  },
  { name: "a helper that has none", config: { credsStore: "has-none" }, want: undefined },
];
const faults = [
  {
    name: "no base64 pair",
    config: { auths: { "r.example": { auth: "AAAA" } } },
    want: /expected base64 of name:password/,
  },
  {
    name: "an identity token",
    config: { auths: { "r.example": { auth, identitytoken: "x" } } },
    want: /expected a name and a password, got an identity token: docker login r\.example/,
  },
  { name: "a helper with an identity token", config: { credsStore: "token" }, want: /got an identity token/ },
  { name: "a path for a helper", config: { credsStore: "../x" }, want: /name of a credentials helper/ },
  { name: "a helper that is not there", config: { credsStore: "none-such" }, want: /ENOENT/ },
  { name: "a helper that fails", config: { credsStore: "fails" }, want: /ended with 3/ },
];

/** A docker configuration, and helpers that `docker login` might have set up, found by PATH. */
async function inFolder(config: object, act: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meltemi-docker-"));
  const path = process.env["PATH"];
  process.env["PATH"] = `${folder}:${path}`;
  const helper = (name: string, script: string): void => {
    const file = join(folder, `docker-credential-${name}`);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  };
  helper("knows", 'read key; [ "$1 $key" = "get r.example" ] && echo \'{"Username":"me","Secret":"kept"}\'');
  helper("has-none", "echo credentials not found in native keychain; exit 1");
  helper("fails", "exit 3");
  helper("token", 'echo \'{"Username":"<token>","Secret":"x"}\'');
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  try {
    await act(folder);
  } finally {
    process.env["PATH"] = path;
    rmSync(folder, { recursive: true });
  }
}

for (const { name, config, want } of configs)
  test(`credentials: ${name}`, () =>
    inFolder(config, async (folder) => assert.deepEqual(await findCredentials(folder, "r.example"), want)));
for (const { name, config, want } of faults)
  test(`credentials are refused: ${name}`, () =>
    inFolder(config, (folder) => assert.rejects(findCredentials(folder, "r.example"), want)));
test("without a configuration of docker there are no credentials", async () =>
  assert.equal(await findCredentials("/nonexistent", "r.example"), undefined));
