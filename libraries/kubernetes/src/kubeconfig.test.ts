import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { loadKubeconfig } from "./kubeconfig.ts";

const PEM = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function config(user: string, cluster = "server: https://10.0.0.1:6443"): string {
  return `
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c, user: u, namespace: shop}}
- {name: other, context: {cluster: c}}
- {name: lost, context: {cluster: nowhere}}
clusters:
- name: c
  cluster: {${cluster}}
users:
- name: u
  user: {${user}}
`;
}

test("a token, inline certificates, and the context's namespace", async () => {
  const trust = `server: "https://h", certificate-authority-data: ${base64(PEM)}, tls-server-name: kubernetes`;
  const user = `token: secret, client-certificate-data: ${base64(PEM)}, client-key-data: ${base64(PEM)}`;
  const access = loadKubeconfig(config(user, trust));
  assert.equal(access.server.href, "https://h/");
  assert.equal(access.certificateAuthority, PEM);
  assert.equal(access.clientCertificate?.key, PEM);
  assert.equal(access.serverName, "kubernetes");
  assert.equal(access.insecureSkipTlsVerify, undefined);
  assert.equal(access.defaultNamespace, "shop");
  assert.equal(await access.token?.token(), "secret");
});

test("another context, without a user", () => {
  const access = loadKubeconfig(config("token: x"), { context: "other" });
  assert.equal(access.token, undefined);
  assert.equal(access.defaultNamespace, "default");
});

test("files are relative to the kubeconfig's folder, and a token file is read again after a refusal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kubeconfig-"));
  try {
    writeFileSync(join(folder, "token"), "first\n");
    writeFileSync(join(folder, "ca.pem"), PEM);
    const text = config("tokenFile: token", "server: https://h, certificate-authority: ca.pem");
    const access = loadKubeconfig(text, { folder });
    assert.equal(access.certificateAuthority, PEM);
    assert.equal(await access.token?.token(), "first");
    writeFileSync(join(folder, "token"), "second\n");
    assert.equal(await access.token?.token(), "first");
    access.token?.refused();
    assert.equal(await access.token?.token(), "second");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const refusals = [
  { name: "exec plugin", text: config("exec: {command: aws}"), code: "UNSUPPORTED", message: /user u: exec/ },
  {
    name: "password",
    text: config("username: a, password: b"),
    code: "UNSUPPORTED",
    message: /user u: username/,
  },
  {
    name: "proxy",
    text: config("token: x", "server: https://h, proxy-url: http://p"),
    code: "UNSUPPORTED",
    message: /proxy-url/,
  },
  {
    name: "unknown context",
    text: config("token: x"),
    context: "none",
    code: "CONFIG_INVALID",
    message: /contexts has no entry named "none"/,
  },
  {
    name: "unknown cluster",
    text: config("token: x"),
    context: "lost",
    code: "CONFIG_INVALID",
    message: /clusters has no entry named "nowhere"/,
  },
  {
    name: "server is no URL",
    text: config("token: x", "server: nonsense"),
    code: "CONFIG_INVALID",
    message: /is not a URL/,
  },
  {
    name: "no server",
    text: config("token: x", "insecure-skip-tls-verify: true"),
    code: "CONFIG_INVALID",
    message: /server is missing/,
  },
  {
    name: "key without certificate",
    text: config(`client-key-data: ${base64(PEM)}`),
    code: "CONFIG_INVALID",
    message: /must come together/,
  },
  {
    name: "not PEM",
    text: config("token: x", `server: https://h, certificate-authority-data: ${base64("x")}`),
    code: "CONFIG_INVALID",
    message: /is not PEM/,
  },
  {
    name: "missing file",
    text: config("client-certificate: /nonexistent, client-key: /nonexistent"),
    code: "CONFIG_INVALID",
    message: /cannot read \/nonexistent/,
  },
  { name: "not a mapping", text: "- a", code: "CONFIG_INVALID", message: /expected a mapping/ },
  { name: "not YAML", text: "{", code: "CONFIG_INVALID", message: /not YAML/ },
  { name: "no context", text: "clusters: []", code: "CONFIG_INVALID", message: /current-context is not set/ },
];
for (const c of refusals) {
  test(`kubeconfig is refused: ${c.name}`, () => {
    assert.throws(() => loadKubeconfig(c.text, { context: c.context }), { code: c.code, message: c.message });
  });
}

test("no text makes the reader throw anything but a MeshError", () => {
  const field = fc.constantFrom("contexts", "clusters", "users", "current-context");
  const value = fc.oneof(
    fc.jsonValue(),
    fc.constant([{ name: "a", context: { cluster: "a", user: 1 }, cluster: { server: 1 } }]),
    fc.constant("a"),
  );
  fc.assert(
    fc.property(fc.dictionary(field, value), (document) => {
      try {
        loadKubeconfig(JSON.stringify(document));
      } catch (error) {
        assert.equal((error as Error).name, "MeshError");
      }
    }),
    { numRuns: 300 },
  );
});
