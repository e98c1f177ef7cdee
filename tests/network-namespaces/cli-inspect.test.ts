/** The commands that look into a mesh, on a local cluster: what they say is held against the traffic that really passes. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import {
  applyObject,
  cluster,
  clusterUp,
  deployPrograms,
  istioctl,
  kubectl,
  skip,
  startIstioctl,
  untilEnrolled,
} from "./install.fixture.ts";

const POLICY = {
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "read-only", namespace: "shop" },
  spec: {
    targetRefs: [{ group: "", kind: "Service", name: "server" }],
    rules: [{ to: [{ operation: { methods: ["GET"], paths: ["/", "/public/*"] } }] }],
  },
};

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await clusterUp();
  await deployPrograms();
  await succeed("install", "-y", "--set", "profile=ambient");
  await kubectl("label", "namespace", "shop", "istio.io/dataplane-mode=ambient");
  await untilEnrolled(2);
});

after(async () => {
  if (skip === false) await cluster("down");
});

async function succeed(...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await istioctl(...words);
  assert.equal(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** What a real client gets; 0 when its connection is cut. */
async function statusOf(method: string, path: string): Promise<number> {
  const script = `curl -sS -o /dev/null -m 5 -w '%{http_code}' -X ${method} http://server${path} || true`;
  return Number(await kubectl("exec", "-n", "shop", "client", "--", "sh", "-c", script));
}

async function explained(
  method: string,
  path: string,
): Promise<{ readonly kind: string; readonly code: number }> {
  const { stdout, code } = await istioctl(
    "explain",
    "client.shop",
    "server:80",
    "--method",
    method,
    "--path",
    path,
    "-o",
    "json",
  );
  return { kind: JSON.parse(stdout).verdict.kind, code };
}

test("ztunnel-config tells of the pods on each node", { skip }, async () => {
  assert.match(await succeed("ztunnel-config", "workload"), /^shop +client +\S+ +node-1 +None +HBONE$/m);
  assert.match(await succeed("zc", "service", "--node", "node-2"), /^shop +server +[\d.]+ +None +1\/1$/m);
  assert.match(
    await succeed("zc", "certificate", "--node", "node-2"),
    /ns\/shop\/sa\/default +Leaf +Available +true/,
  );
  assert.match(await succeed("zc", "log", "--level", "access:debug", "--node", "node-2"), /access=debug/);
  const { code, stderr } = await istioctl("zc", "certificate");
  assert.deepEqual([code, stderr.trim()], [1, "Error: ztunnel pod name or --node must be set"]);
});

test("without a waypoint everything is explained as it is: allowed", { skip }, async () => {
  assert.equal(await statusOf("POST", "/private"), 200);
  assert.deepEqual(await explained("POST", "/private"), { kind: "allowed", code: 0 });
});

test("with a waypoint and a policy, what is explained is what a client gets", { skip }, async () => {
  await succeed("waypoint", "apply", "-n", "shop", "--wait");
  await kubectl("label", "service", "-n", "shop", "server", "istio.io/use-waypoint=waypoint");
  await applyObject(POLICY);
  await eventually(async () => (await statusOf("POST", "/")) === 403, { deadlineMs: 30_000, everyMs: 200 });
  const cases = [
    ["GET", "/", 200, "allowed"],
    ["POST", "/", 403, "denied"],
    ["GET", "/public/a?b=c", 200, "allowed"],
    ["GET", "/publicity", 403, "denied"],
    ["GET", "/public/../private", 403, "denied"],
  ] as const;
  for (const [method, path, status, kind] of cases) {
    assert.equal(await statusOf(method, path), status, `${method} ${path}`);
    assert.equal((await explained(method, path)).kind, kind, `${method} ${path}`);
  }
});

test("proxies are in step with the control plane, and the waypoint tells what it serves", {
  skip,
}, async () => {
  const status = await succeed("proxy-status");
  assert.equal(status.match(/^ztunnel-\S+\.istio-system /gm)?.length, 2);
  assert.match(status, /^waypoint-\S+\.shop /m);
  assert.match(
    await succeed("proxy-config", "endpoint", "deploy/waypoint.shop"),
    /:8080 +HEALTHY +OK +inbound-vip\|80\|http\|server/,
  );
  assert.match(
    await succeed("x", "describe", "service", "server.shop"),
    /ALLOW shop\/read-only \(enforced by its waypoint\)/,
  );
  assert.match(await succeed("x", "authz", "check", "deploy/waypoint.shop"), /^ALLOW +read-only\.shop/m);
});

const GOLDEN = [
  ["version"],
  ["version", "-o", "json"],
  ["proxy-status"],
  ["proxy-status", "-v", "1"],
  ["proxy-status", "-o", "json"],
  ["proxy-status", "deploy/waypoint.shop"],
  ["remote-clusters"],
  ["remote-clusters", "-o", "json"],
  ["ztunnel-config", "log", "--node", "node-1"],
  ["proxy-config", "log", "deploy/waypoint.shop"],
  ["x", "authz", "check", "deploy/waypoint.shop"],
  ["x", "describe", "pod", "server.shop"],
  ["waypoint", "list", "-A"],
  ["waypoint", "status", "-n", "shop", "-o", "json"],
  ["ztunnel-config", "connections", "--node", "node-9"],
  ["verify-install"],
  ["install", "-y", "--set", "profile=ambient", "--dry-run"],
  ["uninstall", "--revision", "default", "--dry-run"],
  ["admin", "log"],
  ["admin", "log", "-o", "json"],
  ["bug-report", "--dry-run"],
] as const;

/** Names that Kubernetes makes, and the widths of columns that follow from them. */
function plain(said: string): string {
  return said
    .replaceAll(/\b(istiod|waypoint)-[a-z0-9]{4,10}-[a-z0-9]{4,5}\b/g, "$1-<pod>")
    .replaceAll(/\b(ztunnel|istio-cni-node)-[a-z0-9]{4,5}\b/g, "$1-<pod>")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .replaceAll(/(?<=\S) {2,}/g, "  ");
}

test("what proxies and the control plane say, as tables and as JSON", { skip }, async (t) => {
  const states = (): Promise<string> => succeed("proxy-status", "-v", "1");
  await eventually(async () => !/STALE|NOT SENT/.test(await states()), { deadlineMs: 30_000, everyMs: 300 });
  for (const words of GOLDEN) {
    const { code = 0, stdout, stderr } = await istioctl(...words);
    const beside = stderr.split("\n").filter((line) => line !== "" && !line.startsWith("- "));
    const said = [`$ istioctl ${words.join(" ")}`, stdout, ...beside, `exit code ${code}`].join("\n");
    t.assert.snapshot(plain(said), { serializers: [String] });
  }
});

test("a dashboard is served until it is interrupted", { skip }, async () => {
  using dashboard = startIstioctl("dashboard", "istiod-debug", "--browser=false");
  const url = await eventually(() => /http:\/\/\S+/.exec(dashboard.said())?.[0], { deadlineMs: 30_000 });
  assert.match(url, /^http:\/\/localhost:\d+\/debug$/);
  const answer = await fetch(url);
  assert.equal(answer.status, 200, await answer.text());
  dashboard.interrupt();
  assert.equal(await dashboard.ended, 0);
});

test("a connection that ztunnel refuses is explained as refused, by the policy that does it", {
  skip,
}, async () => {
  const spec = {
    selector: { matchLabels: { app: "server" } },
    action: "DENY",
    rules: [{ to: [{ operation: { ports: ["9000"] } }] }],
  };
  const ip = await kubectl("get", "pod", "-n", "shop", "server", "-o", "jsonpath={.status.podIP}");
  const talk = `exec 3<>/dev/tcp/${ip}/9000; echo hello >&3; read -t 3 -u 3 back; echo "$back"`;
  const answer = (): Promise<string> => kubectl("exec", "-n", "shop", "client", "--", "bash", "-c", talk);
  const before = await istioctl("explain", "client.shop", "pod/server:9000");
  assert.equal(before.code, 0, before.stdout);
  assert.match(await answer(), /hello/);
  await applyObject({ ...POLICY, metadata: { name: "no-tcp", namespace: "shop" }, spec });
  await eventually(async () => !(await answer()).includes("hello"), { deadlineMs: 30_000, everyMs: 300 });
  const { stdout, code } = await istioctl("explain", "client.shop", "pod/server:9000");
  assert.equal(code, 1, stdout);
  assert.match(stdout, /DENY +shop\/no-tcp: matches/);
  assert.match(stdout, /Verdict: DENIED: explicitly denied by: shop\/no-tcp/);
});

test("analyze finds what is wrong with what runs, and says nothing when it is mended", { skip }, async () => {
  const [found, isFound] = ["MLT0002", (text: string): boolean => text.includes("[MLT0002]")];
  const network = (port: number): unknown => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name: "n", namespace: "shop" },
    spec: {
      podSelector: { matchLabels: { app: "server" } },
      ingress: [{ ports: [{ port, protocol: "TCP" }] }],
    },
  });
  await applyObject(network(8080));
  const wrong = await istioctl("analyze", "-n", "shop");
  assert.deepEqual(
    [isFound(wrong.stdout), wrong.code],
    [true, 79],
    `${found}: ${wrong.stdout}${wrong.stderr}`,
  );
  await applyObject(network(15_008));
  const right = await istioctl("analyze", "-n", "shop");
  assert.deepEqual([isFound(right.stdout), right.code], [false, 0], right.stdout);
});

test("the control plane shows itself to its own pod, and to no stranger", { skip }, async () => {
  const curl = "curl -s -o /dev/null -m 5 -w '%{http_code}' http://istiod.istio-system:15014/debug/syncz";
  assert.equal(await kubectl("exec", "-n", "shop", "client", "--", "sh", "-c", curl), "401");
  assert.match(await succeed("admin", "log", "--level", "xds:debug"), /xds +debug$/m);
  assert.match(await succeed("remote-clusters"), /^Kubernetes +synced +istiod-\S+ +default$/m);
});

test("a report holds logs and dumps, and nothing that is secret", { skip }, async () => {
  await using folder = await createTemporaryFolder("report");
  await succeed("bug-report", "--output-dir", folder.path);
  execFileSync("tar", ["xzf", folder.file("bug-report.tar.gz"), "-C", folder.path]);
  const files = readdirSync(folder.file("bug-report"), { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile(),
  );
  const names = files.map(({ name }) => name);
  for (const name of ["config_dump.json", "syncz.json", "analyze.txt", "Pod.yaml"])
    assert.ok(names.includes(name), name);
  for (const { parentPath, name } of files) {
    const text = readFileSync(join(parentPath, name), "utf8");
    // A JSON Web Token begins so, whatever is in it.
    assert.doesNotMatch(text, /eyJ[\w-]+\.eyJ|PRIVATE KEY/, name);
    assert.doesNotMatch(name, /\.error\.txt$/, text);
  }
});

test("a pod that is not there is refused with what there is", { skip }, async () => {
  const { code, stderr } = await istioctl("zc", "workload", "serve.shop");
  assert.equal(code, 1);
  assert.match(stderr, /pod shop\/serve not found; did you mean server\?/);
});
