import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@meltemi/runtime";
import fc from "fast-check";
import { chooseListFile, parseNetworkList, renderFirstList } from "./conflist.ts";
import { type Attachment, builtInResult, invocationOf, readResult } from "./invoke.ts";

test("the first list stands for the built-in network alone", () => {
  const list = parseNetworkList("10-meltemi.conflist", renderFirstList());
  assert.deepEqual(
    list.plugins.map(({ type }) => type),
    ["meltemi"],
  );
});

test("a .conf file is a list of one, and fields are kept for the plugin", () => {
  const list = parseNetworkList("a.conf", '{"cniVersion":"0.3.1","name":"n","type":"bridge","mtu":1400}');
  assert.equal(list.plugins[0]?.type, "bridge");
  assert.equal(list.plugins[0]?.fields["mtu"], 1400);
});

const refusals: readonly (readonly [string, string, RegExp])[] = [
  ["no JSON", "{", /expected JSON/],
  ["a list", "[]", /expected an object/],
  ["no version", '{"name":"n","plugins":[{"type":"a"}]}', /cniVersion/],
  ["no name", '{"cniVersion":"1.0.0","plugins":[{"type":"a"}]}', /network name/],
  ["a name that is a path", '{"cniVersion":"1.0.0","name":"../n","plugins":[{"type":"a"}]}', /network name/],
  ["no plugins", '{"cniVersion":"1.0.0","name":"n","plugins":[]}', /1 to 16 plugins/],
  [
    "a plugin that is none",
    '{"cniVersion":"1.0.0","name":"n","plugins":[1]}',
    /every plugin to be an object/,
  ],
  [
    "a type that is a path",
    '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"../../bin/sh"}]}',
    /name of its program/,
  ],
  ["too much", `{"cniVersion":"${"1".repeat(1024 * 1024)}"}`, /at most 1048576 bytes/],
];
for (const [name, text, want] of refusals)
  test(`parseNetworkList refuses ${name}`, () =>
    assert.throws(
      () => parseNetworkList("x.conflist", text),
      (error) => error instanceof MeshError && want.test(error.message),
    ));

test("parseNetworkList: whatever JSON comes, it is a list or a refusal", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      try {
        assert.ok(parseNetworkList("x", text).plugins.length > 0);
      } catch (error) {
        assert.ok(error instanceof MeshError && error.code === "CONFIG_INVALID");
      }
    }),
  );
});

test("chooseListFile: the lowest name of the right kind", () => {
  assert.equal(
    chooseListFile(["20-b.conflist", "10-a.conflist", "00-x.json", "05-kubeconfig"]),
    "10-a.conflist",
  );
  assert.equal(chooseListFile(["b.conf", "a.conflist~"]), "b.conf");
  assert.equal(chooseListFile([]), undefined);
});

const attachment: Attachment = {
  containerId: "c1",
  namespacePath: "/run/netns/x",
  interfaceName: "eth0",
  podName: "web",
  podNamespace: "shop",
  podUid: "u1",
  addresses: [
    { address: "10.244.1.2/32", gateway: "10.244.1.1" },
    { address: "fd00::2/128", gateway: "fe80::1" },
  ],
};

test("a chained plugin is told where, who, and what was done before", () => {
  const list = parseNetworkList(
    "l",
    '{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"meltemi"},{"type":"istio-cni","log":"x"}]}',
  );
  const previous = builtInResult(list, attachment);
  const plugin = list.plugins[1];
  assert.ok(plugin !== undefined);
  const { environment, input } = invocationOf("ADD", list, plugin, attachment, previous);
  assert.deepEqual(environment, {
    CNI_COMMAND: "ADD",
    CNI_CONTAINERID: "c1",
    CNI_NETNS: "/run/netns/x",
    CNI_IFNAME: "eth0",
    CNI_PATH: "/opt/cni/bin",
    CNI_ARGS:
      "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_UID=u1",
  });
  const config = JSON.parse(input);
  assert.deepEqual(
    [config.type, config.log, config.name, config.cniVersion],
    ["istio-cni", "x", "n", "1.0.0"],
  );
  assert.deepEqual(config.prevResult.ips[0], {
    address: "10.244.1.2/32",
    gateway: "10.244.1.1",
    interface: 0,
  });
  assert.deepEqual(config.prevResult.routes[1], { dst: "::/0", gw: "fe80::1" });
});

test("readResult: a result, nothing, and complaints in every form", () => {
  const outcome = (code: number, stdout: string, stderr = "") => ({ code, stdout, stderr });
  assert.deepEqual(readResult("p", outcome(0, '{"a":1}'), "before"), { a: 1 });
  assert.equal(readResult("p", outcome(0, ""), "before"), "before");
  assert.equal(readResult("p", outcome(0, "noise"), "before"), "before");
  const complaint = (code: number, stdout: string, stderr?: string): string => {
    try {
      readResult("p", outcome(code, stdout, stderr), undefined);
    } catch (error) {
      return (error as Error).message;
    }
    return "none";
  };
  assert.equal(
    complaint(1, '{"code":11,"msg":"not yet","details":"later"}'),
    'plugin type="p" failed: not yet: later',
  );
  assert.equal(complaint(1, "plain words"), 'plugin type="p" failed: plain words');
  assert.equal(complaint(2, "", "on stderr\n"), 'plugin type="p" failed: on stderr');
  assert.equal(complaint(127, ""), 'plugin type="p" failed: exit code 127');
});
