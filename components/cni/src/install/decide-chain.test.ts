import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ConfFile, decideChain, decideUnchain } from "./decide-chain.ts";

const ENTRY = {
  type: "istio-cni",
  cni_agent_run_dir: "/var/run/istio-cni",
  exclude_namespaces: ["kube-system"],
};
const LIST = {
  cniVersion: "1.0.0",
  name: "net",
  plugins: [{ type: "ptp", ipMasq: true }, { type: "portmap" }],
};
const CHAINED = { ...LIST, plugins: [...LIST.plugins, ENTRY] };
const file = (name: string, document: unknown): ConfFile => ({ name, text: JSON.stringify(document) });
const brief = (files: readonly ConfFile[], wanted?: string): unknown => {
  const decision = decideChain(files, ENTRY, wanted);
  if (decision.kind === "write") return [decision.file.name, JSON.parse(decision.file.text)];
  return decision.kind === "chained" ? decision.name : decision.kind;
};

const CASES = [
  { name: "joins behind the others", files: [file("10-a.conflist", LIST)], want: ["10-a.conflist", CHAINED] },
  { name: "is there already", files: [file("10-a.conflist", CHAINED)], want: "10-a.conflist" },
  {
    name: "exchanges an entry of other settings",
    files: [
      file("10-a.conflist", { ...LIST, plugins: [{ ...ENTRY, cni_agent_run_dir: "/x" }, ...LIST.plugins] }),
    ],
    want: ["10-a.conflist", CHAINED],
  },
  {
    name: "two entries become one",
    files: [file("10-a.conflist", { ...LIST, plugins: [...LIST.plugins, ENTRY, ENTRY] })],
    want: ["10-a.conflist", CHAINED],
  },
  {
    name: "the lowest name counts",
    files: [file("20-b.conflist", CHAINED), file("05-new.conflist", LIST), file("00-README", LIST)],
    want: ["05-new.conflist", CHAINED],
  },
  {
    name: "temporary files do not count",
    files: [file(".05-x.conflist", LIST), file("05-x.conflist.tmp", LIST), file("10-a.conflist", CHAINED)],
    want: "10-a.conflist",
  },
  { name: "no configuration yet", files: [], want: "wait" },
  {
    name: "the one asked for is not there",
    files: [file("10-a.conflist", LIST)],
    wanted: "99-z.conflist",
    want: "wait",
  },
  { name: "one plugin without a list", files: [file("10-a.conf", { type: "bridge" })], want: "wait" },
  { name: "an empty list", files: [file("10-a.conflist", { ...LIST, plugins: [] })], want: "wait" },
  { name: "half a file", files: [{ name: "10-a.conflist", text: '{"plugins":' }], want: "wait" },
  { name: "something else in JSON", files: [{ name: "10-a.conflist", text: "[null]" }], want: "wait" },
];
for (const { name, files, wanted, want } of CASES)
  test(`decideChain: ${name}`, () => assert.deepEqual(brief(files, wanted), want));

test("decideUnchain gives back every list as it was without us", () => {
  const files = [
    file("10-a.conflist", CHAINED),
    file("20-b.conflist", LIST),
    { name: "30-c.conf", text: "{" },
  ];
  const [only, ...others] = decideUnchain(files);
  assert.deepEqual([only?.name, JSON.parse(only?.text ?? ""), others], ["10-a.conflist", LIST, []]);
});

test("decideChain takes any text without throwing, and what it writes it calls chained", () => {
  const plugin = fc.oneof(fc.constant(ENTRY), fc.object(), fc.string());
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.array(plugin).map((plugins) => JSON.stringify({ plugins })),
  );
  fc.assert(
    fc.property(anything, (text) => {
      const decision = decideChain([{ name: "a.conflist", text }], ENTRY, undefined);
      if (decision.kind === "write") assert.equal(brief([decision.file]), "a.conflist");
    }),
  );
});
