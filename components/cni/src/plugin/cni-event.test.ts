import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCniEvent } from "./cni-event.ts";

const EVENT = {
  Netns: "/run/netns/one",
  PodName: "one",
  PodNamespace: "default",
  IPs: [
    { Interface: 0, Address: { IP: "10.0.0.2", Mask: "24" }, Gateway: "" },
    { Address: { IP: "fd00::2" } },
  ],
};

test("parseCniEvent reads what the plugin sends", () => {
  const event = {
    netns: "/run/netns/one",
    podName: "one",
    podNamespace: "default",
    addresses: ["10.0.0.2", "fd00::2"],
  };
  assert.deepEqual(parseCniEvent(JSON.stringify(EVENT)), { kind: "ok", event });
});

const REFUSED = [
  { name: "no JSON", body: "{" },
  { name: "null", body: "null" },
  { name: "a relative path", body: JSON.stringify({ ...EVENT, Netns: "netns/one" }) },
  { name: "no pod name", body: JSON.stringify({ ...EVENT, PodName: "" }) },
  { name: "a pod name with a slash", body: JSON.stringify({ ...EVENT, PodName: "a/b" }) },
  { name: "a namespace in capitals", body: JSON.stringify({ ...EVENT, PodNamespace: "Default" }) },
  {
    name: "an address that is none",
    body: JSON.stringify({ ...EVENT, IPs: [{ Address: { IP: "10.0.0" } }] }),
  },
  { name: "an address list with null", body: JSON.stringify({ ...EVENT, IPs: [null] }) },
  { name: "endless addresses", body: JSON.stringify({ ...EVENT, IPs: Array(17).fill(EVENT.IPs[0]) }) },
];
for (const { name, body } of REFUSED)
  test(`parseCniEvent refuses ${name}`, () => assert.equal(parseCniEvent(body).kind, "bad"));

test("parseCniEvent takes any text without throwing", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => parseCniEvent(text).kind !== undefined));
});
