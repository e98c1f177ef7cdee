import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { ConfFile } from "./conf-file.ts";
import { type ChainWish, type ConfChanges, decideChain, decideUnchain } from "./decide-chain.ts";

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
const joining = (confName?: string): ChainWish => ({ confName, ownedName: undefined });
const owning: ChainWish = { confName: undefined, ownedName: "02-istio-cni.conflist" };
const plain = ({ write, remove }: ConfChanges): unknown => [
  ...write.map(({ name, text }) => [name, JSON.parse(text)]),
  ...remove.map((name) => `-${name}`),
];
const brief = (files: readonly ConfFile[], wish: ChainWish): unknown => {
  const decision = decideChain(files, ENTRY, wish);
  if (decision.kind === "change") return plain(decision.changes);
  return decision.kind === "chained" ? decision.name : decision.kind;
};
const SINGLE = { cniVersion: "0.3.1", name: "pods", type: "bridge", bridge: "cni0" };
const CONVERTED = {
  cniVersion: "0.3.1",
  name: "pods",
  plugins: [
    { type: "bridge", bridge: "cni0" },
    { ...ENTRY, converted_from: "10-a.conf" },
  ],
};
const COPY = { ...LIST, plugins: [...LIST.plugins, { ...ENTRY, copied_from: "10-a.conflist" }] };
const OWN = "02-istio-cni.conflist";

const CASES = [
  {
    name: "joins behind the others",
    files: [file("10-a.conflist", LIST)],
    want: [["10-a.conflist", CHAINED]],
  },
  { name: "is there already", files: [file("10-a.conflist", CHAINED)], want: "10-a.conflist" },
  {
    name: "exchanges an entry of other settings",
    files: [
      file("10-a.conflist", { ...LIST, plugins: [{ ...ENTRY, cni_agent_run_dir: "/x" }, ...LIST.plugins] }),
    ],
    want: [["10-a.conflist", CHAINED]],
  },
  {
    name: "two entries become one",
    files: [file("10-a.conflist", { ...LIST, plugins: [...LIST.plugins, ENTRY, ENTRY] })],
    want: [["10-a.conflist", CHAINED]],
  },
  {
    name: "the lowest name counts",
    files: [file("20-b.conflist", CHAINED), file("05-new.conflist", LIST), file("00-README", LIST)],
    want: [["05-new.conflist", CHAINED]],
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
    wish: joining("99-z.conflist"),
    want: "wait",
  },
  {
    name: "one plugin alone becomes a list, which takes its place",
    files: [file("10-a.conf", SINGLE)],
    want: [["10-a.conflist", CONVERTED], "-10-a.conf"],
  },
  { name: "a list that was made so stays", files: [file("10-a.conflist", CONVERTED)], want: "10-a.conflist" },
  {
    name: "their single plugin is written anew beside our list",
    files: [file("10-a.conf", { ...SINGLE, bridge: "cni1" }), file("10-a.conflist", CONVERTED)],
    want: [
      [
        "10-a.conflist",
        { ...CONVERTED, plugins: [{ type: "bridge", bridge: "cni1" }, CONVERTED.plugins[1]] },
      ],
      "-10-a.conf",
    ],
  },
  {
    name: "the one asked for, under the name that it got by becoming a list",
    files: [file("05-z.conflist", LIST), file("10-a.conflist", CONVERTED)],
    wish: joining("10-a.conf"),
    want: "10-a.conflist",
  },
  { name: "neither a list nor a plugin", files: [file("10-a.conf", { name: "x" })], want: "wait" },
  {
    name: "a list of our own is a copy with our entry",
    files: [file("10-a.conflist", LIST)],
    wish: owning,
    want: [[OWN, COPY]],
  },
  {
    name: "our own follows theirs",
    files: [file(OWN, { ...COPY, name: "older" }), file("10-a.conflist", LIST)],
    wish: owning,
    want: [[OWN, COPY]],
  },
  {
    name: "our own is as it should be",
    files: [{ name: OWN, text: `${JSON.stringify(COPY, undefined, 2)}\n` }, file("10-a.conflist", LIST)],
    wish: owning,
    want: OWN,
  },
  {
    name: "our own stays while theirs is away",
    files: [file(OWN, COPY)],
    wish: owning,
    want: OWN,
  },
  { name: "no configuration yet, and none of our own", files: [], wish: owning, want: "wait" },
  {
    name: "our own takes the place of the entry in theirs",
    files: [file("10-a.conflist", CHAINED)],
    wish: owning,
    want: [
      [OWN, COPY],
      ["10-a.conflist", LIST],
    ],
  },
  {
    name: "our own must stand before theirs",
    files: [file("01-a.conflist", LIST)],
    wish: owning,
    want: "wait",
  },
  {
    name: "a list of our own that is not wanted any more goes",
    files: [file(OWN, COPY), file("10-a.conflist", LIST)],
    want: [["10-a.conflist", CHAINED], `-${OWN}`],
  },
  { name: "an empty list", files: [file("10-a.conflist", { ...LIST, plugins: [] })], want: "wait" },
  {
    name: "nothing but our own entry",
    files: [file("10-a.conflist", { ...LIST, plugins: [ENTRY] })],
    want: "wait",
  },
  { name: "half a file", files: [{ name: "10-a.conflist", text: '{"plugins":' }], want: "wait" },
  { name: "something else in JSON", files: [{ name: "10-a.conflist", text: "[null]" }], want: "wait" },
];
for (const { name, files, wish = joining(), want } of CASES)
  test(`decideChain: ${name}`, () => assert.deepEqual(brief(files, wish), want));

test("decideUnchain gives back every file as it was without us", () => {
  const files = [
    file("10-a.conflist", CHAINED),
    file("20-b.conflist", LIST),
    { name: "30-c.conf", text: "{" },
  ];
  assert.deepEqual(plain(decideUnchain(files)), [["10-a.conflist", LIST]]);
  assert.deepEqual(plain(decideUnchain([file("10-a.conflist", CONVERTED)])), [
    ["10-a.conf", SINGLE],
    "-10-a.conflist",
  ]);
  assert.deepEqual(plain(decideUnchain([file(OWN, COPY), file("10-a.conflist", LIST)])), [`-${OWN}`]);
});

test("a name from outside leads to no other folder", () => {
  const list = { ...CONVERTED, plugins: [{ type: "x" }, { ...ENTRY, converted_from: "../../etc/a.conf" }] };
  assert.deepEqual(plain(decideUnchain([file("10-a.conflist", list)])), [
    ["10-a.conflist", { ...list, plugins: [{ type: "x" }] }],
  ]);
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
      for (const wish of [joining(), owning]) {
        const decision = decideChain([{ name: "a.conflist", text }], ENTRY, wish);
        if (decision.kind !== "change") continue;
        const { write, remove } = decision.changes;
        const rest = write.some(({ name }) => name === "a.conflist") ? [] : [{ name: "a.conflist", text }];
        const after = [...rest.filter(({ name }) => !remove.includes(name)), ...write];
        assert.equal(brief(after, wish), decision.name);
      }
    }),
  );
});
