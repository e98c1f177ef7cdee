import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { chainPlugin, chooseConfFile, pluginEntry, unchainPlugin } from "./conflist.ts";

const SETTINGS = { runFolder: "/var/run/istio-cni", excludeNamespaces: ["kube-system", "istio-system"] };
const LIST = {
  cniVersion: "1.0.0",
  name: "net",
  plugins: [{ type: "ptp", ipMasq: true }, { type: "portmap" }],
};
const text = (document: unknown): string => JSON.stringify(document);
const parsed = (edited: ReturnType<typeof chainPlugin>): unknown =>
  JSON.parse(edited.kind === "ok" ? edited.text : "0");

test("chainPlugin appends the plugin and leaves the others as they are", () => {
  const edited = chainPlugin(text(LIST), SETTINGS);
  assert.deepEqual(parsed(edited), { ...LIST, plugins: [...LIST.plugins, pluginEntry(SETTINGS)] });
});

test("chainPlugin again changes nothing, with other settings it exchanges the entry", () => {
  const once = chainPlugin(text(LIST), SETTINGS);
  assert.ok(once.kind === "ok" && once.changed);
  assert.deepEqual(chainPlugin(once.text, SETTINGS), { ...once, changed: false });
  const other = parsed(chainPlugin(once.text, { ...SETTINGS, runFolder: "/run/x" })) as typeof LIST;
  assert.equal(other.plugins.length, 3);
  assert.deepEqual(other.plugins[2], pluginEntry({ ...SETTINGS, runFolder: "/run/x" }));
});

test("chainPlugin makes a list of a single configuration", () => {
  const edited = chainPlugin(text({ cniVersion: "0.3.1", name: "net", type: "bridge", mtu: 1400 }), SETTINGS);
  const plugins = [{ type: "bridge", mtu: 1400 }, pluginEntry(SETTINGS)];
  assert.deepEqual(parsed(edited), { cniVersion: "0.3.1", name: "net", plugins });
});

test("unchainPlugin undoes chainPlugin, and leaves a list without the plugin as it is", () => {
  const chained = chainPlugin(text(LIST), SETTINGS);
  assert.deepEqual(parsed(unchainPlugin(chained.kind === "ok" ? chained.text : "")), LIST);
  assert.deepEqual(unchainPlugin(text(LIST)), { kind: "ok", text: text(LIST), changed: false });
});

for (const refused of ["", "[]", "null", "{}", '{"plugins": {}}', '{"plugins"'])
  test(`chainPlugin refuses ${JSON.stringify(refused)}`, () => {
    assert.equal(chainPlugin(refused, SETTINGS).kind, "bad");
  });

test("editing takes any text without throwing, and its own output is stable", () => {
  const anything = fc.oneof(fc.string(), fc.json());
  fc.assert(
    fc.property(anything, (given) => {
      const edited = chainPlugin(given, SETTINGS);
      if (edited.kind === "ok") assert.equal(chainPlugin(edited.text, SETTINGS).kind, "ok");
    }),
  );
});

test("chooseConfFile takes the first by name and passes over other files and our own temporary ones", () => {
  assert.equal(
    chooseConfFile(["20-b.conflist", "10-a.conf", "README", "05-x.json", ".05-x.conflist.new"]),
    "10-a.conf",
  );
  assert.equal(chooseConfFile([]), undefined);
});
