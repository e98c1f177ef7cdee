/** Releases with the real helm on the embedded API server: installed, looked at, upgraded, rolled back and uninstalled. Pods are not run here. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { meshDefinitions } from "../../components/cli/src/manifests/definitions.ts";
import { CURRENT_CLUSTER } from "../../components/cli/src/manifests/facts.ts";
import { renderComponents } from "../../components/cli/src/manifests/render.ts";
import { readInstallValues } from "../../components/cli/src/manifests/values.ts";
import { startTestCluster, type TestCluster } from "./api-server.fixture.ts";
import { chartFolder, helm } from "./helm.fixture.ts";

let cluster: TestCluster;
before(async () => {
  cluster = await startTestCluster();
  await cluster.kubectl("create", "namespace", "istio-system");
});
after(() => cluster?.close());

/** Must succeed. */
async function run(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await tryRun(...args);
  assert.equal(code, 0, `helm ${args.join(" ")}\n${stdout}${stderr}`);
  return stdout;
}

function tryRun(...args: readonly string[]): ReturnType<typeof helm> {
  const env = { KUBECONFIG: cluster.kubeconfig, HOME: cluster.folder, HELM_NAMESPACE: "istio-system" };
  return helm(args, "", env);
}

const get = async (kind: string, name: string, path: string): Promise<string> =>
  cluster.kubectl("get", kind, name, "-n", "istio-system", "-o", `jsonpath=${path}`);
const exists = async (kind: string, name: string): Promise<boolean> =>
  (await cluster.run(["get", kind, name, "-n", "istio-system"])).code === 0;
const POLICY = "{.webhooks[0].failurePolicy}";
const VALIDATOR = "istio-validator-istio-system";

const RELEASES = [
  { release: "istio-base", chart: "base", flags: [] },
  { release: "istiod", chart: "istiod", flags: ["--set", "profile=ambient"] },
  { release: "istio-cni", chart: "cni", flags: ["--set", "profile=ambient"] },
  { release: "ztunnel", chart: "ztunnel", flags: [] },
] as const;

test("the four charts are installed in their order, and say what comes next", async () => {
  const said: string[] = [];
  for (const { release, chart, flags } of RELEASES)
    said.push(await run("install", release, chartFolder(chart), ...flags));
  for (const [index, next] of ["istiod", "cni", "ztunnel", "istio.io/dataplane-mode=ambient"].entries())
    assert.match(said[index] ?? "", new RegExp(`Next: .*${next}`, "s"));
  const list = JSON.parse(await run("list", "-o", "json")) as { name: string; status: string }[];
  assert.deepEqual(
    list.map(({ name, status }) => `${name} ${status}`).sort(),
    RELEASES.map(({ release }) => `${release} deployed`).sort(),
  );
  for (const name of ["daemonset/ztunnel", "daemonset/istio-cni-node", "deployment/istiod", "service/istiod"])
    assert.ok(await exists(...(name.split("/") as [string, string])), name);
  const crds = await cluster.kubectl("get", "crd", "-o", "name");
  assert.match(crds, /authorizationpolicies\.security\.istio\.io/);
  assert.match(crds, /gateways\.gateway\.networking\.k8s\.io/);
});

test("an upgrade with the same values changes nothing, one with others what they say", async () => {
  const before = await get("daemonset", "ztunnel", "{.metadata.generation}");
  await run("upgrade", "ztunnel", chartFolder("ztunnel"));
  assert.equal(await get("daemonset", "ztunnel", "{.metadata.generation}"), before);
  const set = ["--set", "env.SECRET_TTL=1h", "--set", "logLevel=debug"];
  await run("upgrade", "ztunnel", chartFolder("ztunnel"), ...set);
  const env = '{.spec.template.spec.containers[0].env[?(@.name=="SECRET_TTL")].value}';
  assert.equal(await get("daemonset", "ztunnel", env), "1h");
  await run("rollback", "ztunnel", "1");
  assert.equal(await get("daemonset", "ztunnel", env), "");
});

test("what istiod writes into its webhook, an upgrade leaves as it is", async () => {
  assert.equal(await get("validatingwebhookconfiguration", VALIDATOR, POLICY), "Ignore");
  const patch = [
    { op: "add", path: "/webhooks/0/clientConfig/caBundle", value: "LS0tCg==" },
    { op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" },
  ];
  const name = ["patch", "validatingwebhookconfiguration", VALIDATOR];
  await cluster.kubectl(...name, "--field-manager=istiod", "--type=json", "-p", JSON.stringify(patch));
  await run(
    "upgrade",
    "istiod",
    chartFolder("istiod"),
    "--set",
    "profile=ambient",
    "--set",
    "traceSampling=5",
  );
  assert.equal(await get("validatingwebhookconfiguration", VALIDATOR, POLICY), "Fail");
  const bundle = await get(
    "validatingwebhookconfiguration",
    VALIDATOR,
    "{.webhooks[0].clientConfig.caBundle}",
  );
  assert.equal(bundle, "LS0tCg==");
  assert.match(await get("configmap", "istio", "{.data.mesh}"), /sampling: 5/);
  const open = [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" }];
  const closed = [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" }];
  const byDefault = ["patch", "validatingwebhookconfiguration", "istiod-default-validator"];
  await cluster.kubectl(...byDefault, "--field-manager=istiod", "--type=json", "-p", JSON.stringify(closed));
  await run("upgrade", "istio-base", chartFolder("base"));
  assert.equal(await get("validatingwebhookconfiguration", "istiod-default-validator", POLICY), "Fail");
  // Another control plane is to be asked, which may not serve yet.
  await run("upgrade", "istio-base", chartFolder("base"), "--set", "defaultRevision=2", "--force-conflicts");
  assert.equal(await get("validatingwebhookconfiguration", "istiod-default-validator", POLICY), "Ignore");
  await run("upgrade", "istio-base", chartFolder("base"));
  // Otherwise nobody would answer for what the next tests write.
  await cluster.kubectl(...name, "--field-manager=istiod", "--type=json", "-p", JSON.stringify(open));
});

test("a newer Gateway API that somebody put over ours stays", async () => {
  const name = "gateways.gateway.networking.k8s.io";
  const version = "gateway.networking.k8s.io/bundle-version";
  const shown = () => get("crd", name, `{.metadata.annotations.${version.replaceAll(".", "\\.")}}`);
  const ours = await shown();
  for (const [found, channel] of [
    ["v9.0.0", "standard"],
    ["main-dev", "standard"],
    [ours, "experimental"],
  ]) {
    const annotations = [`${version}=${found}`, `gateway.networking.k8s.io/channel=${channel}`];
    await cluster.kubectl("annotate", "--overwrite", "crd", name, ...annotations);
    await run("upgrade", "istio-base", chartFolder("base"));
    assert.equal(await shown(), found);
    assert.equal(
      await get("crd", name, "{.metadata.annotations.gateway\\.networking\\.k8s\\.io/channel}"),
      channel,
    );
  }
  await cluster.kubectl("annotate", "--overwrite", "crd", name, `${version}=v1.0.0`);
  await run("upgrade", "istio-base", chartFolder("base"), "--force-conflicts");
  assert.equal(await shown(), ours);
});

test("a release that cannot be is refused, and leaves the one that is", async () => {
  const refused = await tryRun(
    "upgrade",
    "istiod",
    chartFolder("istiod"),
    "--set",
    "global.externalIstiod=true",
  );
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /global\.externalIstiod: true is refused/);
  assert.match(await run("status", "istiod"), /STATUS: deployed/);
});

test("a second revision stands beside the first", async () => {
  const set = ["--set", "revision=2", "--set", "revisionTags={prod}"];
  await run("install", "istiod-2", chartFolder("istiod"), "--set", "profile=ambient", ...set);
  for (const name of ["istiod", "istiod-2", "istiod-revision-tag-prod"])
    assert.ok(await exists("service", name));
  await run("uninstall", "istiod-2");
  assert.equal(await exists("deployment", "istiod-2"), false);
  assert.equal(await exists("deployment", "istiod"), true);
});

test("what is uninstalled is gone, but for the definitions and what is in them", async () => {
  const policy = {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: "kept", namespace: "istio-system" },
    spec: { mtls: { mode: "STRICT" } },
  };
  await cluster.feed(JSON.stringify(policy), "apply");
  for (const { release } of [...RELEASES].reverse()) await run("uninstall", release);
  assert.deepEqual(JSON.parse(await run("list", "-o", "json")), []);
  const left = await cluster.kubectl(
    ...["get", "deployments,daemonsets,services,serviceaccounts,configmaps,roles,rolebindings"],
    ...["-n", "istio-system", "-l", "app.kubernetes.io/part-of=istio", "-o", "name"],
  );
  assert.equal(left, "");
  const leftInCluster = await cluster.kubectl(
    ...["get", "clusterroles,clusterrolebindings,validatingwebhookconfigurations"],
    ...["-l", "app.kubernetes.io/part-of=istio", "-o", "name"],
  );
  assert.equal(leftInCluster, "");
  assert.equal(await exists("peerauthentication", "kept"), true);
});

test("the umbrella is one release, which takes over the definitions that were kept", async () => {
  await run("install", "ambient", chartFolder("ambient"), "--take-ownership");
  assert.equal(await exists("daemonset", "ztunnel"), true);
  await run("upgrade", "ambient", chartFolder("ambient"), "--set", "ztunnel.logLevel=debug");
  await run("uninstall", "ambient");
  assert.equal(await exists("daemonset", "ztunnel"), false);
});

test("what the command line installed becomes helm's, and no pod is started anew", async () => {
  const read = readInstallValues([{ profile: "ambient" }]);
  assert.ok(read.kind === "ok");
  const objects = renderComponents(read.values, meshDefinitions(), CURRENT_CLUSTER)
    .flatMap((component) => component.objects)
    .filter(({ kind }) => kind !== "Namespace");
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const flags = ["apply", "--server-side", "--force-conflicts", "--field-manager=istio-operator"];
  await cluster.feed(list, ...flags);
  const workloads = [
    ["deployment", "istiod"],
    ["daemonset", "istio-cni-node"],
    ["daemonset", "ztunnel"],
  ] as const;
  const generations = async (): Promise<string[]> =>
    Promise.all(workloads.map(([kind, name]) => get(kind, name, "{.metadata.generation}")));
  const before = await generations();
  for (const { release, chart, flags: values } of RELEASES)
    await run("install", release, chartFolder(chart), ...values, "--take-ownership", "--force-conflicts");
  assert.deepEqual(await generations(), before);
});
