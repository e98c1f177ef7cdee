import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCall, renderResult } from "./cni-call.ts";

const PREVIOUS = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 0 }, { address: "fd00::2/128" }],
};
const CONF = { cniVersion: "1.0.0", exclude_namespaces: ["kube-system"], prevResult: PREVIOUS };
const ENV = {
  CNI_COMMAND: "ADD",
  CNI_NETNS: "/run/netns/one",
  CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=one;K8S_POD_UID=ab-12",
};
const call = (env: object, conf: object | string = CONF): ReturnType<typeof readCall> =>
  readCall({ ...ENV, ...env }, typeof conf === "string" ? conf : JSON.stringify(conf));

test("ADD asks the agent in Istio's form", () => {
  const add = call({});
  assert.deepEqual(add.kind === "add" && add.event, {
    Netns: "/run/netns/one",
    PodName: "one",
    PodNamespace: "default",
    PodUID: "ab-12",
    IPs: [
      { Interface: 0, Address: { IP: "10.0.0.2", Mask: "////AA==" }, Gateway: "10.0.0.1" },
      { Interface: null, Address: { IP: "fd00::2", Mask: "/////////////////////w==" }, Gateway: "" },
    ],
  });
  assert.equal(add.kind === "add" && add.conf.runFolder, "/var/run/istio-cni");
});

const CASES = [
  {
    name: "a pod of an excluded namespace",
    env: { CNI_ARGS: "K8S_POD_NAME=a;K8S_POD_NAMESPACE=kube-system" },
    want: "pass",
  },
  { name: "no pod of Kubernetes", env: { CNI_ARGS: "" }, want: "pass" },
  { name: "DEL", env: { CNI_COMMAND: "DEL" }, want: "done" },
  {
    name: "DEL without a previous result",
    env: { CNI_COMMAND: "DEL" },
    conf: { cniVersion: "1.0.0" },
    want: "done",
  },
  { name: "CHECK", env: { CNI_COMMAND: "CHECK" }, want: "done" },
  { name: "GC", env: { CNI_COMMAND: "GC" }, conf: { ...CONF, cniVersion: "1.1.0" }, want: "done" },
  { name: "STATUS", env: { CNI_COMMAND: "STATUS" }, want: "probe" },
  { name: "VERSION", env: { CNI_COMMAND: "VERSION" }, conf: "", want: "version" },
  { name: "another command", env: { CNI_COMMAND: "DANCE" }, want: 4 },
  { name: "no namespace", env: { CNI_NETNS: "" }, want: 4 },
  { name: "called beside others", env: {}, conf: { cniVersion: "1.0.0" }, want: "add" },
  {
    name: "a previous result that is none",
    env: {},
    conf: { cniVersion: "1.0.0", prevResult: 7 },
    want: 7,
  },
  { name: "a version of the future", env: {}, conf: { ...CONF, cniVersion: "9.0.0" }, want: 1 },
  { name: "no JSON", env: {}, conf: "{", want: 6 },
  { name: "no object", env: {}, conf: "[]", want: 6 },
];
for (const { name, env, conf, want } of CASES)
  test(`readCall: ${name}`, () => {
    const read = call(env, conf);
    assert.equal(read.kind === "fail" ? read.error.code : read.kind, want);
  });

test("the result is the previous one", () => {
  const add = call({});
  assert.deepEqual(add.kind === "add" && JSON.parse(renderResult(add.conf)), PREVIOUS);
});

test("called beside others, it knows no addresses and makes nothing", () => {
  const add = call({}, { cniVersion: "0.4.0" });
  assert.ok(add.kind === "add");
  assert.deepEqual(add.event.IPs, []);
  assert.deepEqual(JSON.parse(renderResult(add.conf)), { cniVersion: "0.4.0" });
});

test("readCall takes any input without throwing", () => {
  const input = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .anything()
      .map((prevResult) => JSON.stringify({ cniVersion: "1.0.0", prevResult: { ips: [prevResult] } }) ?? ""),
  );
  fc.assert(
    fc.property(
      input,
      fc.string(),
      (text, args) => readCall({ ...ENV, CNI_ARGS: args }, text).kind !== undefined,
    ),
  );
});
