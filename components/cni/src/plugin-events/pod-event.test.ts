import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mountedNamespacePath, parsePodEvent } from "./pod-event.ts";

const EVENT = {
  Netns: "/run/netns/one",
  PodName: "one",
  PodNamespace: "default",
  IPs: [
    { Interface: 0, Address: { IP: "10.0.0.2", Mask: "////AA==" }, Gateway: "" },
    { Address: { IP: "fd00::2" } },
  ],
};

test("parsePodEvent reads what Istio's plugin sends, and ours", () => {
  const event = {
    netnsPath: "/run/netns/one",
    podName: "one",
    podNamespace: "default",
    podUid: undefined,
    addresses: ["10.0.0.2", "fd00::2"],
  };
  assert.deepEqual(parsePodEvent(JSON.stringify(EVENT)), { kind: "event", event });
  assert.deepEqual(parsePodEvent(JSON.stringify({ ...EVENT, PodUID: "ab-12", IPs: null })), {
    kind: "event",
    event: { ...event, podUid: "ab-12", addresses: [] },
  });
});

const REFUSED = [
  { name: "no JSON", body: "{" },
  { name: "null", body: "null" },
  { name: "a relative path", body: JSON.stringify({ ...EVENT, Netns: "netns/one" }) },
  { name: "no pod name", body: JSON.stringify({ ...EVENT, PodName: "" }) },
  { name: "a pod name with a slash", body: JSON.stringify({ ...EVENT, PodName: "a/b" }) },
  { name: "a namespace in capitals", body: JSON.stringify({ ...EVENT, PodNamespace: "Default" }) },
  { name: "a uid that is none", body: JSON.stringify({ ...EVENT, PodUID: "../x" }) },
  { name: "no address", body: JSON.stringify({ ...EVENT, IPs: [{ Address: { IP: "10.0.0" } }] }) },
  { name: "null for an address", body: JSON.stringify({ ...EVENT, IPs: [null] }) },
  { name: "endless addresses", body: JSON.stringify({ ...EVENT, IPs: Array(33).fill(EVENT.IPs[0]) }) },
];
for (const { name, body } of REFUSED)
  test(`parsePodEvent refuses ${name}`, () => assert.equal(parsePodEvent(body).kind, "bad"));

test("parsePodEvent takes any text without throwing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parsePodEvent(text).kind !== undefined));
});

const MOUNTS = { netnsFolder: "/host/var/run/netns", hostProc: "/host/proc" };
const PATHS = [
  ["/var/run/netns/cni-1234", "/host/var/run/netns/cni-1234"],
  ["/run/netns/cni-1234", "/host/var/run/netns/cni-1234"],
  ["/var/run/docker/netns/5f", "/host/var/run/netns/5f"],
  ["/proc/42/ns/net", "/host/proc/42/ns/net"],
  ["/proc/42/task/43/ns/net", "/host/proc/42/task/43/ns/net"],
  ["/proc/self/ns/net", undefined],
  ["/var/run/netns/..", undefined],
  ["/var/run/netns/../../etc/shadow", undefined],
  ["/etc/passwd", undefined],
] as const;
for (const [path, want] of PATHS)
  test(`mountedNamespacePath: ${path}`, () => assert.equal(mountedNamespacePath(path, MOUNTS), want));
