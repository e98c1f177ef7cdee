import assert from "node:assert/strict";
import { test } from "node:test";
import type { CaptureBackend } from "@meltemi/ebpf";
import type { KubernetesClient, Namespace, Pod } from "@meltemi/kubernetes";
import type { NetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter, MeshError } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import type { ZdsAnswer } from "@meltemi/zds";
import { createEnroller } from "./enroller.ts";
import { createMeshPods } from "./mesh-pods.ts";
import { REDIRECTION } from "./pod-facts.ts";

const AMBIENT: Namespace = { metadata: { name: "shop", labels: { "istio.io/dataplane-mode": "ambient" } } };
const PLAIN: Namespace = { metadata: { name: "shop" } };
const pod = (
  changes: { redirection?: string; phase?: string; annotations?: Record<string, string> } = {},
): Pod => ({
  metadata: {
    uid: "u1",
    name: "web",
    namespace: "shop",
    annotations: {
      ...changes.annotations,
      ...(changes.redirection !== undefined && { [REDIRECTION]: changes.redirection }),
    },
  },
  spec: { serviceAccountName: "web", containers: [] },
  status: { phase: changes.phase ?? "Running", podIPs: [{ ip: "10.0.0.2" }] },
});

/** Everything that happens outside, in its order. */
function world(
  faults: { capture?: boolean; zds?: ZdsAnswer | "absent"; process?: boolean; patch?: boolean } = {},
) {
  const did: string[] = [];
  const clock = createFakeClock();
  const pods = createMeshPods();
  const netns = (name: string): NetworkNamespace => {
    const close = (): void => void did.push(`close ${name}`);
    return { fd: 7, inode: 1n, device: 1n, close, [Symbol.dispose]: close };
  };
  const capture: CaptureBackend = {
    kind: "ebpf",
    async enrol({ uid, captureDns, captureInbound }) {
      if (faults.capture) throw new MeshError("KERNEL", "no");
      did.push(`capture ${uid}${captureDns ? " dns" : ""}${captureInbound ? " inbound" : ""}`);
    },
    unenrol: async ({ uid }) => void did.push(`release ${uid}`),
    list: async () => [],
    close: () => undefined,
    [Symbol.dispose]: () => undefined,
  };
  const client: Pick<KubernetesClient, "patch"> = {
    patch: async (_type, ref, patch) => {
      if (faults.patch) throw new MeshError("UNAVAILABLE", "no API server");
      const { metadata } = (patch as { body: { metadata: { uid: string; annotations: object } } }).body;
      did.push(`annotate ${metadata.uid} ${Object.values(metadata.annotations)[0]}`);
      return { metadata: { name: ref.name } } as never;
    },
  };
  const enroller = createEnroller(
    { excludeNamespaces: new Set(["kube-system"]), dnsCapture: true, ipv6: true },
    {
      capture,
      client,
      pods,
      clock,
      log: createLogger(
        { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
        "t",
      ),
      zds: {
        async add(uid) {
          if (faults.zds === "absent") throw new MeshError("UNAVAILABLE", "no ztunnel is connected");
          did.push(`tell add ${uid}`);
          return faults.zds ?? { kind: "ack" };
        },
        del: async (uid) => void did.push(`tell del ${uid}`),
      },
      findNamespace: async () => (faults.process === false ? undefined : netns("found")),
      onEvent: () => undefined,
    },
  );
  return {
    did,
    pods,
    clock,
    faults,
    enroller,
    sandbox: (name = "sandbox") => ({ netns: netns(name), addresses: ["10.0.0.2"] }),
  };
}

test("a running pod joins without a refused connection: ztunnel listens before anything is captured", async () => {
  const { did, enroller, pods } = world();
  await enroller.reconcile(pod(), AMBIENT);
  assert.deepEqual(did, ["tell add u1", "capture u1 dns inbound", "annotate u1 enabled"]);
  assert.deepEqual(pods.find("u1"), {
    uid: "u1",
    workload: { name: "web", namespace: "shop", serviceAccount: "web" },
    netnsFd: 7,
  });
  did.length = 0;
  await enroller.reconcile(pod({ redirection: "enabled" }), AMBIENT);
  assert.deepEqual(did, [], "nothing is done twice");
});

test("a running pod leaves: peers are told, and served until they have heard", async () => {
  const { did, enroller, pods, clock } = world();
  await enroller.reconcile(pod(), AMBIENT);
  did.length = 0;
  const leaving = enroller.reconcile(pod({ redirection: "enabled" }), PLAIN);
  await clock.settle(499);
  assert.deepEqual([did, pods.uids()], [["annotate u1 null"], ["u1"]]);
  await clock.settle(1);
  await leaving;
  assert.deepEqual(did, ["annotate u1 null", "release u1", "close found", "tell del u1"]);
  assert.deepEqual(pods.uids(), []);
});

test("a pod that leaves while nobody can be told is let go at once, and the annotation tried again", async () => {
  const { did, enroller, faults, clock } = world();
  await enroller.reconcile(pod(), AMBIENT);
  did.length = 0;
  faults.patch = true;
  await assert.rejects(enroller.reconcile(pod({ redirection: "enabled" }), PLAIN), { code: "UNAVAILABLE" });
  assert.deepEqual(did, ["release u1", "close found", "tell del u1"]);
  faults.patch = false;
  const again = enroller.reconcile(pod({ redirection: "enabled" }), PLAIN);
  await clock.settle(500);
  await again;
  assert.ok(did.includes("annotate u1 null"));
});

test("what an earlier run left is undone for a pod that is not to be in the mesh any more", async () => {
  const { did, enroller, clock } = world();
  const leaving = enroller.reconcile(pod({ redirection: "enabled" }), PLAIN);
  await clock.settle(500);
  await leaving;
  assert.deepEqual(did, ["annotate u1 null", "release u1", "tell del u1"]);
});

test("a pod that never was in the mesh is left alone", async () => {
  const { did, enroller } = world();
  await enroller.reconcile(pod(), PLAIN);
  await enroller.reconcile(pod({ phase: "Succeeded", redirection: "enabled" }), AMBIENT);
  assert.deepEqual(did, []);
});

test("a finished pod is let go; its annotation stays as a record", async () => {
  const { did, enroller } = world();
  await enroller.reconcile(pod(), AMBIENT);
  did.length = 0;
  await enroller.reconcile(pod({ phase: "Failed", redirection: "enabled" }), AMBIENT);
  assert.deepEqual(did, ["release u1", "close found", "tell del u1"]);
});

test("without a ztunnel a running pod stays captured and pending, and is tried again", async () => {
  const { did, enroller, pods } = world({ zds: "absent" });
  await assert.rejects(enroller.reconcile(pod(), AMBIENT), { code: "UNAVAILABLE" });
  assert.deepEqual(did, ["capture u1 dns inbound", "annotate u1 pending"]);
  await assert.rejects(enroller.reconcile(pod({ redirection: "pending" }), AMBIENT));
  assert.deepEqual(did.length, 2, "pending is written once, and capture is not set up again");
  assert.deepEqual(pods.uids(), ["u1"]);
});

test("a ztunnel that refuses leaves the pod pending", async () => {
  const { did, enroller } = world({ zds: { kind: "nack", why: "no ports" } });
  await assert.rejects(enroller.reconcile(pod(), AMBIENT), /no ports/);
  assert.deepEqual(did, ["tell add u1", "capture u1 dns inbound", "annotate u1 pending"]);
});

test("a running pod whose rules fail is taken back from ztunnel, and peers never hear of it", async () => {
  const { did, enroller, pods } = world({ capture: true });
  await assert.rejects(enroller.reconcile(pod(), AMBIENT), { code: "KERNEL" });
  assert.deepEqual(did, ["tell add u1", "release u1", "close found", "tell del u1"]);
  assert.deepEqual(pods.uids(), []);
});

test("a pod without processes waits for the plugin", async () => {
  const { did, enroller } = world({ process: false });
  await enroller.reconcile(pod(), AMBIENT);
  assert.deepEqual(did, []);
});

test("annotations choose what is captured, also later", async () => {
  const { did, enroller } = world();
  await enroller.reconcile(pod({ annotations: { "ambient.istio.io/dns-capture": "false" } }), AMBIENT);
  const bypass = { "ambient.istio.io/bypass-inbound-capture": "true" };
  await enroller.reconcile(pod({ annotations: bypass, redirection: "enabled" }), AMBIENT);
  assert.deepEqual(did, ["tell add u1", "capture u1 inbound", "annotate u1 enabled", "capture u1 dns"]);
});

test("restoring captures and records, and tells nobody", async () => {
  const { did, enroller, pods } = world();
  await enroller.restore(pod({ redirection: "enabled" }), AMBIENT);
  await enroller.restore({ ...pod(), metadata: { ...pod().metadata, uid: "u2" } }, PLAIN);
  assert.deepEqual([did, pods.uids()], [["capture u1 dns inbound"], ["u1"]]);
});

test("a new sandbox is enrolled before it is answered for", async () => {
  const { did, enroller, sandbox, pods } = world();
  assert.equal((await enroller.enrolSandbox(pod(), AMBIENT, sandbox())).kind, "enrol");
  assert.deepEqual(did, ["capture u1 dns inbound", "tell add u1", "annotate u1 enabled"]);
  // The runtime made it anew.
  await enroller.enrolSandbox(pod(), AMBIENT, sandbox("second"));
  assert.ok(did.includes("close sandbox") && !did.includes("close second"));
  assert.deepEqual(pods.uids(), ["u1"]);
});

test("a new sandbox that cannot be served leaves nothing behind", async () => {
  for (const faults of [
    { zds: "absent" },
    { zds: { kind: "nack", why: "no" } },
    { capture: true },
  ] as const) {
    const { did, enroller, sandbox, pods } = world(faults);
    await assert.rejects(enroller.enrolSandbox(pod(), AMBIENT, sandbox()));
    assert.ok(did.includes("close sandbox") && did.includes("release u1") && did.includes("tell del u1"));
    assert.deepEqual(pods.uids(), []);
  }
});

test("a new sandbox outside the mesh is let pass, its namespace closed", async () => {
  const { did, enroller, sandbox } = world();
  assert.deepEqual(await enroller.enrolSandbox(pod(), PLAIN, sandbox()), {
    kind: "leave",
    why: "not-labelled",
  });
  assert.deepEqual(did, ["close sandbox"]);
});

test("work on one pod is done in turn", async () => {
  const { did, enroller, sandbox } = world();
  await Promise.all([enroller.enrolSandbox(pod(), AMBIENT, sandbox()), enroller.forget("u1")]);
  assert.deepEqual(did, [
    "capture u1 dns inbound",
    "tell add u1",
    "annotate u1 enabled",
    "release u1",
    "close sandbox",
    "tell del u1",
  ]);
});
