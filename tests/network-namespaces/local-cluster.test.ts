/** The local cluster as its user meets it: the real program, the real kubectl, real namespaces and processes. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  apiPort,
  apply,
  cluster,
  holds,
  kubectl,
  NAME,
  type PodStatus,
  phaseIs,
  pod,
  podStatus,
  refusal,
  serverContainer,
  service,
  skip,
  state,
  up,
} from "./local-cluster.fixture.ts";

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
});

after(async () => {
  if (skip === false) await cluster("down");
});

test("up twice is up once, and status and env say so", { skip }, async () => {
  assert.match(await up(), /is up already/);
  const status = JSON.parse(await cluster("status", "-o", "json"));
  assert.equal(status.state, "up");
  assert.deepEqual(
    status.nodes.map((node: { ready: boolean }) => node.ready),
    [true, true],
  );
  assert.match(
    await cluster("env"),
    /^export KUBECONFIG='.*\/kubeconfig'\nexport PATH='.*\/bin':"\$PATH"\n$/,
  );
  assert.match(await kubectl("get", "nodes"), /node-1 +Ready[\s\S]*node-2 +Ready/);
});

test("what stands in the way is refused in a sentence", { skip }, async () => {
  assert.match(await refusal("up", "--name", "two-words"), /lower-case letters and digits/);
  assert.match(await refusal("up", "--name", "other", "--state", state), /holds another cluster, lctest/);
  assert.match(
    await refusal("up", "--name", NAME, "--state", `${state}-2`),
    /with another state folder is up/,
  );
  assert.match(
    await refusal("up", "--name", "other", "--state", `${state}-2`, "--api-port", String(await apiPort())),
    /port \d+ of 127.0.0.1 is taken/,
  );
  assert.match(await refusal("sideways"), /expected one of up, status/);
});

test("a Deployment runs on both nodes, and every pod reaches it by name, address and family", {
  skip,
}, async () => {
  await apply(
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web" },
      spec: {
        replicas: 4,
        selector: { matchLabels: { app: "web" } },
        template: {
          metadata: { labels: { app: "web" } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [{ name: "web", image: "localhost/host", ...serverContainer }],
          },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web" },
      spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "peers" },
      spec: { clusterIP: "None", selector: { app: "web" }, ports: [{ port: 8080 }] },
    },
  );
  await kubectl("rollout", "status", "deployment/web", "--timeout=30s");
  const nodes = await kubectl("get", "pods", "-l", "app=web", "-o", "jsonpath={.items[*].spec.nodeName}");
  assert.deepEqual([...new Set(nodes.split(" "))].sort(), ["node-1", "node-2"]);

  const target = JSON.parse(await kubectl("get", "pods", "-l", "app=web", "-o", "json")).items[0]
    .status as PodStatus;
  const v6 = target.podIPs?.[1]?.ip ?? "";
  const script = [
    "for i in 1 2 3 4 5 6 7 8; do curl -s -m 5 http://web/; done",
    "echo short; curl -s -m 5 http://web.default/",
    `echo v6; curl -s -m 5 'http://[${v6}]:8080/'`,
    "echo headless; getent ahostsv4 peers | awk '{print $1}' | sort -u | wc -l",
    'echo api; curl -s --cacert $S/ca.crt -H "Authorization: Bearer $(cat $S/token)" https://kubernetes.default.svc/version | grep -c major',
    "getent hosts nobody.default.svc.cluster.local || echo no such name",
  ].join("\n");
  for (const node of ["node-1", "node-2"]) {
    const container = { env: [{ name: "S", value: "/var/run/secrets/kubernetes.io/serviceaccount" }] };
    await apply(pod(`client-${node}`, { node, script, container, spec: { restartPolicy: "Never" } }));
    await phaseIs(`client-${node}`, "Succeeded");
    const log = await kubectl("logs", `client-${node}`);
    const { podIP = "" } = await podStatus(`client-${node}`);
    const served = log.split("short")[0]?.trim().split("\n") ?? [];
    assert.equal(served.length, 8, log);
    for (const line of served)
      assert.match(line, new RegExp(`^web-\\S+ ::ffff:${podIP}$`), "the client keeps its address");
    assert.match(log, /short\nweb-/);
    assert.match(log, /v6\nweb-\S+ fd00:10:244:/);
    assert.match(log, /headless\n4\n/);
    assert.match(log, /api\n1\n/);
    assert.match(log, /no such name/);
  }
});

test("a pod reaches itself through its service, and a service without endpoints refuses", {
  skip,
}, async () => {
  const peer = { name: "peer", image: "localhost/host", command: ["sh", "-c", PEER_SCRIPT] };
  await apply(
    pod("alone", {
      container: serverContainer,
      spec: { containers: [{ name: "main", image: "host", ...serverContainer }, peer] },
    }),
    service("self", { app: "alone" }),
    service("nobody", { app: "nobody" }),
  );
  await holds(async () =>
    assert.match(await kubectl("logs", "alone", "-c", "peer"), /^alone .*\nrefused 7\n$/),
  );
});

/** curl says 7 when the connection is refused, 28 when it runs into its timeout. */
const PEER_SCRIPT =
  "until curl -sf -m 2 http://self/; do sleep 0.1; done; curl -s -m 5 http://nobody/; echo refused $?; exec sleep 3600";

test("probes come from the node, and a failed liveness probe restarts the container", { skip }, async () => {
  const script = "echo run; touch /alive; sleep 1; rm /alive; exec sleep 3600";
  const livenessProbe = {
    exec: { command: ["test", "-e", "/alive"] },
    periodSeconds: 1,
    failureThreshold: 1,
  };
  await apply(
    pod("sickly", { script, container: { livenessProbe } }),
    pod("seen", { container: probedContainer }),
  );
  await holds(async () => {
    const [status] = (await podStatus("sickly")).containerStatuses ?? [];
    assert.ok((status?.restartCount ?? 0) >= 1);
    assert.match(await kubectl("describe", "pod", "sickly"), /Unhealthy[\s\S]*Liveness probe failed/);
  });
  const { hostIP = "none" } = await podStatus("seen");
  await holds(async () => assert.match(await kubectl("logs", "seen"), new RegExp(`^::ffff:${hostIP}$`, "m")));
});

const probedContainer = {
  ...serverContainer,
  command: [
    process.execPath,
    "-e",
    `require("node:http").createServer((q, s) => { console.log(q.socket.remoteAddress); s.end(); }).listen(8080, "::")`,
  ],
};

test("a container that ends is started again, ever later, and its last log is kept", { skip }, async () => {
  await apply(pod("crash", { script: "echo before the end; exit 3" }));
  await holds(async () => {
    const [status] = (await podStatus("crash")).containerStatuses ?? [];
    assert.ok((status?.restartCount ?? 0) >= 2);
    assert.equal(status?.state.waiting?.reason, "CrashLoopBackOff");
  });
  assert.equal(await kubectl("logs", "crash", "--previous"), "before the end\n");
  assert.match(
    await kubectl("describe", "pod", "crash"),
    /Exit Code: +3[\s\S]*Back-off restarting failed container/,
  );
});

test("what cannot run says why", { skip }, async () => {
  const env = [{ name: "A", valueFrom: { configMapKeyRef: { name: "absent", key: "a" } } }];
  await apply(
    pod("bad-image", { container: { image: "nobody/nothing:1" } }),
    pod("bad-env", { container: { env } }),
    pod("bad-volume", { spec: { volumes: [{ name: "v", secret: { secretName: "absent" } }] } }),
  );
  const says = (name: string, what: RegExp): Promise<unknown> =>
    holds(async () => assert.match(await kubectl("describe", "pod", name), what));
  await says("bad-image", /ErrImagePull[\s\S]*expected "host", an absolute folder, or one of/);
  await says("bad-env", /CreateContainerConfigError[\s\S]*configmap "absent" not found/);
  await says("bad-volume", /FailedMount[\s\S]*secret "absent" not found/);
  await kubectl("create", "secret", "generic", "absent", "--from-literal=k=v");
  await phaseIs("bad-volume", "Running");
});

test("logs can be followed, cut and timed", { skip }, async () => {
  await apply(
    pod("talker", {
      script: "for i in 1 2 3 4 5; do echo line $i; sleep 0.2; done",
      spec: { restartPolicy: "Never" },
    }),
  );
  await holds(async () => assert.match(await kubectl("logs", "talker"), /line 1/));
  assert.equal(await kubectl("logs", "talker", "-f"), "line 1\nline 2\nline 3\nline 4\nline 5\n");
  assert.equal(await kubectl("logs", "talker", "--tail=2"), "line 4\nline 5\n");
  assert.match(
    await kubectl("logs", "talker", "--tail=1", "--timestamps"),
    /^\d{4}-\d\d-\d\dT[\d:.]+Z line 5\n$/,
  );
  await phaseIs("talker", "Succeeded");
});

test("ConfigMaps, Secrets and the pod itself are environment and files, and files follow changes", {
  skip,
}, async () => {
  const volumes = [
    { name: "settings", configMap: { name: "settings" } },
    { name: "shared", emptyDir: {} },
    {
      name: "self",
      downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] },
    },
  ];
  const mounts = volumes.map(({ name }) => ({ name, mountPath: `/volumes/${name}` }));
  const env = [
    { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "settings", key: "colour" } } },
    { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
    { name: "ADDRESS", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "SENTENCE", value: "$(COLOUR) on $(NODE), $$(COLOUR)" },
  ];
  const script =
    'echo "$SENTENCE $ADDRESS"; id -u; cat /volumes/self/labels; echo; last=; while :; do now=$(cat /volumes/settings/colour); [ "$now" = "$last" ] || echo "file $now"; last=$now; sleep 0.1; done';
  const initContainers = [
    {
      name: "first",
      image: "host",
      command: ["sh", "-c", "echo made > /volumes/shared/by-init"],
      volumeMounts: mounts,
    },
  ];
  await apply(
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "settings" }, data: { colour: "blue" } },
    pod("reader", {
      node: "node-2",
      script: `cat /volumes/shared/by-init; ${script}`,
      container: { env, volumeMounts: mounts, securityContext: { runAsUser: 1234 } },
      spec: { volumes, initContainers },
    }),
  );
  await holds(async () => assert.match(await kubectl("logs", "reader", "-c", "main"), /file blue/));
  await kubectl("patch", "configmap", "settings", "-p", '{"data":{"colour":"green"}}');
  const { podIP = "" } = await podStatus("reader");
  const expected = `made\nblue on node-2, $(COLOUR) ${podIP}\n1234\napp="reader"\nfile blue\nfile green\n`;
  await holds(async () => assert.equal(await kubectl("logs", "reader", "-c", "main"), expected));
});

test("every node has its own /var and /run, and the machine's namespaces", { skip }, async () => {
  const hostPaths = { own: "/var/run/owned", namespaces: "/var/run/netns", pins: "/sys/fs/bpf" };
  const volumes = Object.entries(hostPaths).map(([name, path]) => ({
    name,
    hostPath: { path, ...(name === "own" ? { type: "DirectoryOrCreate" } : {}) },
  }));
  const volumeMounts = Object.entries(hostPaths).map(([name, mountPath]) => ({ name, mountPath }));
  const script =
    "cat /var/run/owned/node 2>/dev/null; echo $HOSTNAME > /var/run/owned/node; ls /var/run/netns | grep -c ^mlt-lctest-fabric; touch /litter; cat /proc/self/cgroup";
  for (const node of ["node-1", "node-2"])
    await apply(
      pod(`owner-${node}`, {
        node,
        script,
        container: { volumeMounts },
        spec: { volumes, restartPolicy: "Never" },
      }),
    );
  for (const node of ["node-1", "node-2"]) {
    await phaseIs(`owner-${node}`, "Succeeded");
    const log = await kubectl("logs", `owner-${node}`);
    assert.match(log, /^1\n/, "an empty folder, and the machine's namespaces");
    const uid = await kubectl("get", "pod", `owner-${node}`, "-o", "jsonpath={.metadata.uid}");
    assert.match(
      log,
      new RegExp(`/meltemi-${NAME}/${node}/pod${uid}/main`),
      "agents find the pod by its cgroup",
    );
    assert.equal(readFileSync(join(state, "nodes", node, "fs/run/owned/node"), "utf8"), `owner-${node}\n`);
  }
  assert.equal(existsSync("/litter"), false);
  assert.equal(existsSync("/run/owned"), false);
});

test("chained CNI plugins run before a pod's first process, and a failing one holds it back", {
  skip,
}, async () => {
  const fileSystem = join(state, "nodes/node-1/fs");
  const plugin = join(fileSystem, "opt/cni/bin/witness");
  const list = join(fileSystem, "etc/cni/net.d/05-witness.conflist");
  await writeFile(plugin, WITNESS);
  await chmod(plugin, 0o755);
  const plugins = [{ type: "meltemi" }, { type: "witness", colour: "red" }];
  await writeFile(list, JSON.stringify({ cniVersion: "1.0.0", name: "meltemi", plugins }));
  await apply(pod("chained", { node: "node-1" }));
  await holds(async () =>
    assert.match(
      await kubectl("describe", "pod", "chained"),
      /FailedCreatePodSandBox[\s\S]*type="witness" failed: not yet/,
    ),
  );
  assert.equal((await podStatus("chained")).phase, "Pending");
  await mkdir(join(fileSystem, "run/witness"));
  await phaseIs("chained", "Running");
  const uid = await kubectl("get", "pod", "chained", "-o", "jsonpath={.metadata.uid}");
  const seen = readFileSync(join(fileSystem, "run/witness/ADD"), "utf8");
  assert.match(seen, new RegExp(`CNI_NETNS=/run/netns/mlt-${NAME}-node-1-`));
  assert.match(seen, /CNI_IFNAME=eth0/);
  assert.match(seen, new RegExp(`K8S_POD_NAMESPACE=default;K8S_POD_NAME=chained;.*K8S_POD_UID=${uid}`));
  assert.match(seen, /"colour":"red"[\s\S]*"prevResult":[\s\S]*"10\.244\.1\.\d+\/32"/);
  await kubectl("delete", "pod", "chained");
  assert.match(readFileSync(join(fileSystem, "run/witness/DEL"), "utf8"), /K8S_POD_NAME=chained/);
  await rm(list);
});

/** Refuses until /run/witness is there; then writes down what it was told. */
const WITNESS = `#!/bin/sh
if [ "$CNI_COMMAND" = ADD ] && [ ! -d /var/run/witness ]; then
  echo '{"cniVersion":"1.0.0","code":11,"msg":"not yet"}'; exit 1
fi
[ -d /var/run/witness ] || exit 0
{ env | grep CNI_; cat; } > "/var/run/witness/$CNI_COMMAND"
echo '{"cniVersion":"1.0.0"}'
`;
