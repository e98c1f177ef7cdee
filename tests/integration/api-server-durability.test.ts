/** What the API server answered stays true after `kill -9`. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  apiServerNames,
  createAdminToken,
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
} from "../../components/local-cluster/src/api-server/credentials.ts";

const folder = mkdtempSync(join(tmpdir(), "api-server-"));
const authority = createClusterAuthority("test-ca", Date.now());
const names = {
  commonName: "kube-apiserver",
  subjectAlternativeNames: apiServerNames([]),
  use: "server",
} as const;
const certificate = issueCertificate(authority, "test-ca", names, Date.now());
const token = createAdminToken();
const files = {
  "ca.crt": authority.certPem,
  "server.crt": certificate.certPem,
  "server.key": certificate.keyPem,
  "service-account.key": createServiceAccountKey(),
  token,
};
for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 });

const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<{ readonly child: ChildProcess; readonly port: number }> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.resolve("./api-server.process.ts")), folder],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  const [line] = (await once(child.stdout ?? child, "data")) as [Buffer];
  return { child, port: Number(line.toString().trim()) };
}

function call(port: number, method: string, path: string, body = ""): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const sent = request(
      { host: "127.0.0.1", port, ca: authority.certPem, method, path, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve(JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

const PATH = "/api/v1/namespaces/default/configmaps";

test("every answered write survives kill -9, and the revision never steps back", async () => {
  const first = await start();
  const answered: string[] = [];
  let lastRevision = 0;
  const writer = (async () => {
    for (let index = 0; ; index++) {
      const answer = await call(
        first.port,
        "POST",
        PATH,
        JSON.stringify({ metadata: { name: `map-${index}` } }),
      );
      const metadata = answer["metadata"] as { name: string; resourceVersion: string };
      answered.push(metadata.name);
      lastRevision = Number(metadata.resourceVersion);
      // In the middle of the traffic, with the next request on its way.
      if (answered.length === 50) first.child.kill("SIGKILL");
    }
  })();
  await assert.rejects(writer);
  const second = await start();
  const list = await call(second.port, "GET", PATH);
  const found = new Set(
    (list["items"] as { metadata: { name: string } }[]).map((item) => item.metadata.name),
  );
  for (const name of answered) assert.ok(found.has(name), `${name} was answered and is gone`);
  assert.ok(Number((list["metadata"] as { resourceVersion: string }).resourceVersion) >= lastRevision);
  const stale = await call(second.port, "GET", `${PATH}?watch=true&resourceVersion=${lastRevision - 10}`);
  const { type, object } = stale as { type?: string; object?: { code?: number } };
  assert.equal(`${type} ${object?.code}`, "ERROR 410");
});
