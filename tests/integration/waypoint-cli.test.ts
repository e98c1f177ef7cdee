/** `istioctl waypoint` against a real API server: what it prints, what it writes, what it refuses. */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  GATEWAYS,
  type KubernetesClient,
  NAMESPACES,
  SERVICES,
} from "@meltemi/kubernetes";
import { createTemporaryFolder, eventually } from "@meltemi/testkit";
import { createTerminal } from "../../components/cli/src/output/terminal.ts";
import { createProgram } from "../../components/cli/src/program.ts";
import { ensureNamespace, startCluster } from "./control-plane.fixture.ts";

const deadline = { timeout: 60_000 };

interface Said {
  readonly out: string;
  readonly error: string;
}

interface Scene extends AsyncDisposable {
  readonly client: KubernetesClient;
  /** What went to standard error, of all calls. */
  readonly asides: string[];
  istioctl(...words: string[]): Promise<Said>;
}

async function createScene(): Promise<Scene> {
  const folder = await createTemporaryFolder();
  const cluster = await startCluster();
  const path = join(folder.path, "kubeconfig");
  const asides: string[] = [];
  await writeFile(path, cluster.kubeconfig, { mode: 0o600 });
  await ensureNamespace(cluster.client, "apps");
  return {
    client: cluster.client,
    asides,
    async istioctl(...words) {
      let out = "";
      const stdout = { write: (text: string) => (out += text) };
      const context = {
        terminal: createTerminal({
          stdout,
          stderr: { write: (text: string) => asides.push(text) },
          colour: false,
        }),
        stdin: process.stdin,
        stdout: process.stdout,
        env: { HOME: "/nonexistent" },
        projectRoot: "/nonexistent",
        version: "1.2.3",
        isRoot: false,
        signal: new AbortController().signal,
        exit: () => undefined,
      };
      const args = ["waypoint", words[0] ?? "", "-c", path, "-n", "apps", ...words.slice(1)];
      try {
        await createProgram("istioctl", context).parseAsync(args, { from: "user" });
        return { out, error: "" };
      } catch (error) {
        return { out, error: error instanceof Error ? error.message : String(error) };
      }
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const DONE = { error: "" };

/** What the control plane would write. */
async function setProgrammed(
  client: KubernetesClient,
  name: string,
  status: "True" | "False",
): Promise<void> {
  const condition = {
    type: "Programmed",
    status,
    reason: status === "True" ? "Programmed" : "AddressNotAssigned",
    message: `said of ${name}`,
    lastTransitionTime: "2026-01-01T00:00:00Z",
    observedGeneration: 1,
  };
  const metadata = { namespace: "apps", name };
  const options = { fieldManager: "test", force: true, subresource: "status" } as const;
  await client.apply(GATEWAYS, { metadata, status: { conditions: [condition] } }, options);
}

async function useLabels(client: KubernetesClient): Promise<readonly (string | undefined)[]> {
  const namespace = await client.get(NAMESPACES, { name: "apps" });
  const service = await client.get(SERVICES, { namespace: "apps", name: "reviews" });
  return [namespace, service].map((object) => object?.metadata?.labels?.["istio.io/use-waypoint"]);
}

test("apply, and what it is told of the namespace", deadline, async () => {
  await using scene = await createScene();
  const { client, istioctl } = scene;
  assert.deepEqual(await istioctl("apply"), { ...DONE, out: "✅ waypoint apps/waypoint applied\n" });
  const gateway = await client.get(GATEWAYS, { namespace: "apps", name: "waypoint" });
  assert.equal(gateway?.metadata?.labels, undefined);
  assert.deepEqual(
    gateway?.metadata?.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [["istioctl", "Apply"]],
  );
  assert.deepEqual(await istioctl("apply", "--enroll-namespace"), {
    ...DONE,
    out:
      "⚠️ Warning: namespace is not enrolled in ambient. Consider running\t`kubectl label namespace apps istio.io/dataplane-mode=ambient`\n" +
      "✅ waypoint apps/waypoint applied\n" +
      '✅ namespace apps labeled with "istio.io/use-waypoint: waypoint"\n',
  });
  const other = ["apply", "--name", "other", "--for", "all", "--enroll-namespace"];
  assert.deepEqual(await istioctl(...other), {
    ...DONE,
    out: "⚠️ Warning: namespace (apps) already has an enrolled Waypoint. Consider adding the `--overwrite` flag to your apply command.\n",
  });
  assert.equal(await client.get(GATEWAYS, { namespace: "apps", name: "other" }), undefined);
  const body = { metadata: { labels: { "istio.io/dataplane-mode": "ambient" } } };
  await client.patch(NAMESPACES, { name: "apps" }, { kind: "merge", body });
  assert.deepEqual(await istioctl(...other, "--overwrite"), {
    ...DONE,
    out:
      "✅ waypoint apps/other applied\n" + '✅ namespace apps labeled with "istio.io/use-waypoint: other"\n',
  });
  assert.deepEqual((await useLabels(client))[0], "other");
});

test("apply for one service binds that service alone", deadline, async () => {
  await using scene = await createScene();
  const { client, istioctl } = scene;
  const missing = await istioctl("apply", "--for", "service/reviews");
  assert.match(missing.error, /service apps\/reviews not found/);
  assert.equal(await client.get(GATEWAYS, { namespace: "apps", name: "waypoint" }), undefined);
  await client.create(SERVICES, {
    metadata: { namespace: "apps", name: "reviews" },
    spec: { ports: [{ port: 80 }] },
  });
  const said =
    '✅ waypoint apps/waypoint applied\n✅ service apps/reviews labeled with "istio.io/use-waypoint: waypoint"\n';
  for (let times = 0; times < 2; times++)
    assert.deepEqual(await istioctl("apply", "--for", "service/reviews"), { ...DONE, out: said });
  assert.deepEqual(await useLabels(client), [undefined, "waypoint"]);
  const gateway = await client.get(GATEWAYS, { namespace: "apps", name: "waypoint" });
  assert.equal(gateway?.metadata?.labels?.["istio.io/waypoint-for"], "service");
  const taken = await istioctl("apply", "--name", "b", "--for", "service/reviews");
  assert.match(taken.out, /service apps\/reviews already has an enrolled Waypoint/);
});

test("waiting: until it is ready, or the time is over", deadline, async () => {
  await using scene = await createScene();
  const { client, istioctl, asides } = scene;
  const late = await istioctl("apply", "--wait", "--waypoint-timeout", "10ms");
  assert.match(late.error, /^timed out while waiting for waypoint\tapps\/waypoint: /);
  const failed = await istioctl("status", "--waypoint-timeout", "10ms");
  assert.match(failed.error, /^timed out while waiting for waypoint\tapps\/waypoint: /);
  const seen = asides.findIndex((text) => /^waypoint +(?:Unknown|False) /.test(text));
  assert.ok(seen >= 0, asides.join(""));
  assert.ok(asides.findLastIndex((text) => text.includes("Waiting for waypoint")) > seen);
  await setProgrammed(client, "waypoint", "True");
  assert.deepEqual(await istioctl("apply", "-w"), {
    ...DONE,
    out: "✅ waypoint apps/waypoint applied\n✅ waypoint apps/waypoint is ready!\n",
  });
  assert.deepEqual(await istioctl("status"), {
    ...DONE,
    out: [
      "NAME         STATUS     TYPE           REASON         MESSAGE\n",
      "waypoint     True       Programmed     Programmed     said of waypoint\n",
    ].join(""),
  });
});

test("list, status and delete", deadline, async () => {
  await using scene = await createScene();
  const { client, istioctl } = scene;
  assert.deepEqual(await istioctl("list"), { ...DONE, out: "No waypoints found.\n" });
  await istioctl("apply");
  await istioctl("apply", "--name", "b", "--for", "all", "--revision", "r1", "--high-availability");
  const foreign = { gatewayClassName: "istio", listeners: [{ name: "http", port: 80, protocol: "HTTP" }] };
  await client.create(GATEWAYS, { metadata: { namespace: "apps", name: "ingress" }, spec: foreign });
  await setProgrammed(client, "b", "True");
  await setProgrammed(client, "waypoint", "False");
  assert.deepEqual(await istioctl("list"), {
    ...DONE,
    out: [
      "NAME         REVISION     TRAFFIC TYPE     PROGRAMMED\n",
      "b            r1           all              True\n",
      "waypoint     default      service          False\n",
    ].join(""),
  });
  assert.deepEqual(await istioctl("list", "-A"), {
    ...DONE,
    out: [
      "NAMESPACE     NAME         REVISION     TRAFFIC TYPE     PROGRAMMED\n",
      "apps          b            r1           all              True\n",
      "apps          waypoint     default      service          False\n",
    ].join(""),
  });
  assert.deepEqual(JSON.parse((await istioctl("list", "-o", "json")).out)[0], {
    namespace: "apps",
    name: "b",
    revision: "r1",
    trafficType: "all",
    programmed: true,
  });
  const status = await istioctl("status", "-A", "--wait=false");
  assert.equal(
    status.out,
    [
      "NAMESPACE     NAME         STATUS     TYPE           REASON                 MESSAGE\n",
      "apps          b            True       Programmed     Programmed             said of b\n",
      "apps          waypoint     False      Programmed     AddressNotAssigned     said of waypoint\n",
    ].join(""),
  );
  assert.match(
    (await istioctl("status", "--name", "b", "-o", "yaml")).out,
    /^- namespace: apps\n {2}name: b\n/,
  );
  assert.deepEqual(await istioctl("delete", "b", "x", "ingress"), {
    ...DONE,
    out: "waypoint apps/x not found\nwaypoint apps/ingress not found\nwaypoint apps/b deleted\n",
  });
  await istioctl("apply", "--name", "c", "--revision", "r1");
  assert.equal((await istioctl("delete", "--revision", "r1")).out, "waypoint apps/c deleted\n");
  assert.equal((await istioctl("delete", "--all")).out, "waypoint apps/waypoint deleted\n");
  const left = await client.list(GATEWAYS, { namespace: "apps" });
  assert.deepEqual(
    left.items.map(({ metadata }) => metadata?.name),
    ["ingress"],
  );
});

test("a namespace there is not, and a cluster without Gateway API", deadline, async () => {
  await using scene = await createScene();
  const { client, istioctl } = scene;
  assert.match((await istioctl("apply", "-n", "nowhere")).error, /namespace nowhere not found/);
  await client.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: "gateways.gateway.networking.k8s.io" });
  await eventually(async () =>
    (await istioctl("apply")).error.startsWith(
      "missing Kubernetes Gateway CRDs need to be installed before applying a waypoint: ",
    ),
  );
});
