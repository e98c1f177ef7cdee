import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { renderComponents } from "./render.ts";
import { readSetFlags } from "./set-flags.ts";
import { valueAt } from "./tree.ts";
import { type ComponentValues, type InstallValues, overlay, readInstallValues, type Tree } from "./values.ts";

function valuesOf(...flags: string[]): ReturnType<typeof readInstallValues> {
  const read = readSetFlags(flags);
  assert.equal(read.kind, "ok");
  return readInstallValues([read.kind === "ok" ? read.tree : {}]);
}

function read(...flags: string[]): InstallValues {
  const result = valuesOf(...flags);
  assert.equal(result.kind, "ok", JSON.stringify(result));
  if (result.kind !== "ok") throw new Error("unreachable");
  return result.values;
}

function chart(values: InstallValues, name: string): ComponentValues {
  const found = values.components.find((component) => component.name === name);
  assert.ok(found);
  return found;
}

test("profile ambient enables the node agent and ztunnel", () => {
  const values = read("profile=ambient");
  assert.deepEqual(
    values.components.map(({ name, isEnabled }) => [name, isEnabled]),
    [
      ["Base", true],
      ["Pilot", true],
      ["Cni", true],
      ["Ztunnel", true],
    ],
  );
  assert.equal(valueAt(chart(values, "Pilot").values, "env.PILOT_ENABLE_AMBIENT"), "true");
});

test("the documented install command for a ztunnel is understood, and brings the node agent that it needs", () => {
  const values = read(
    "profile=default",
    "components.ztunnel.enabled=true",
    "values.ztunnel.variant=distroless",
  );
  assert.equal(chart(values, "Ztunnel").isEnabled, true);
  assert.equal(valueAt(chart(values, "Ztunnel").values, "variant"), "distroless");
  assert.equal(chart(values, "Cni").isEnabled, true);
});

const withoutAgent = [
  { name: "no ztunnel, no node agent", flags: ["profile=default"] },
  {
    name: "a node agent that is refused is not installed",
    flags: ["components.ztunnel.enabled=true", "components.cni.enabled=false"],
  },
  { name: "empty installs what is named alone", flags: ["profile=empty", "components.ztunnel.enabled=true"] },
];
for (const { name, flags } of withoutAgent)
  test(name, () => assert.equal(chart(read(...flags), "Cni").isEnabled, false));

const layers = [
  {
    name: "what is of one chart wins over what is of all",
    flags: ["values.global.network=a", "values.ztunnel.network=b"],
    at: ["Ztunnel", "network", "b"],
  },
  {
    name: "what is of all reaches ztunnel",
    flags: ["hub=example.com/x", "values.global.logAsJson=true"],
    at: ["Ztunnel", "logAsJson", true],
  },
  { name: "a profile wins over defaults", flags: ["profile=demo"], at: ["Pilot", "traceSampling", 100] },
  {
    name: "what was asked for wins over a profile",
    flags: ["profile=demo", "values.pilot.traceSampling=7"],
    at: ["Pilot", "traceSampling", 7],
  },
  {
    name: "a platform wins over a profile",
    flags: ["profile=ambient", "values.global.platform=k3d"],
    at: ["Cni", "cniBinDir", "/bin"],
  },
  {
    name: "what was asked for wins over a platform",
    flags: ["values.global.platform=gke", "values.cni.cniBinDir=/opt/cni/bin"],
    at: ["Cni", "cniBinDir", "/opt/cni/bin"],
  },
  { name: "hub of a component", flags: ["hub=all", "components.cni.hub=own"], at: ["Cni", "hub", "own"] },
  {
    name: "a false wins over a true",
    flags: ["values.pilot.configMap=false"],
    at: ["Pilot", "configMap", false],
  },
] as const;
for (const {
  name,
  flags,
  at: [component, path, want],
} of layers)
  test(`values: ${name}`, () => assert.equal(valueAt(chart(read(...flags), component).values, path), want));

const refusals = [
  {
    name: "unknown profile",
    flags: ["profile=sidecarless"],
    problem: /profile: expected one of default, minimal/,
  },
  {
    name: "misspelt path",
    flags: ["values.ztunel.variant=x"],
    problem: /values\.ztunel: no such value; did you mean ztunnel/,
  },
  {
    name: "wrong case",
    flags: ["values.cni.ambient.dnscapture=true"],
    problem: /did you mean dnsCapture/,
  },
  {
    name: "not a boolean",
    flags: ["components.cni.enabled=yes"],
    problem: /expected true or false, got "yes"/,
  },
  {
    name: "a profile that cannot be honoured",
    flags: ["profile=stable"],
    problem: /profile: stable is refused: it denies fields/,
  },
  {
    name: "sidecars",
    flags: ["values.sidecarInjectorWebhook.enableNamespacesByDefault=true"],
    problem:
      /values\.sidecarInjectorWebhook\.enableNamespacesByDefault: true is refused: sidecars are not injected/,
  },
  {
    name: "earlier behaviour",
    flags: ["compatibilityVersion=1.27"],
    problem: /compatibilityVersion: "1\.27" is refused: no earlier behaviour is kept/,
  },
  {
    name: "manifests of one's own",
    flags: ["installPackagePath=/tmp/manifests"],
    problem: /installPackagePath: the manifests are part of this program/,
  },
  {
    name: "a gateway by installation",
    flags: ["components.egressGateways={}", "components.ingressGateways.enabled=true"],
    problem: /components\.ingressGateways: a gateway is deployed for every Gateway object/,
  },
  {
    name: "a setting that a component has not",
    flags: ["components.cni.k8s.replicaCount=2"],
    problem: /components\.cni\.k8s\.replicaCount: no such setting.*there are affinity/,
  },
  {
    name: "a setting of the wrong type",
    flags: ["components.pilot.k8s.replicaCount=two"],
    problem: /values\.pilot\.replicaCount: expected a whole number of at least 1, got "two"/,
  },
  {
    name: "a remote control plane without an address",
    flags: ["profile=remote"],
    problem: /values\.global\.remotePilotAddress: expected the address of the control plane/,
  },
  {
    name: "a platform nobody knows",
    flags: ["values.global.platform=vms"],
    problem: /values\.global\.platform: expected one of "", gke/,
  },
  {
    name: "a revision that is no name",
    flags: ["revision=Canary_1"],
    problem: /revision: expected a text like/,
  },
  {
    name: "out of range",
    flags: ["values.pilot.replicaCount=0"],
    problem: /replicaCount: expected a whole number/,
  },
] as const;
for (const row of refusals) {
  test(`refused: ${row.name}`, () => {
    const result = valuesOf(...row.flags);
    assert.equal(result.kind, "invalid");
    if (result.kind === "invalid") assert.match(result.problems.join("\n"), row.problem);
  });
}

test("all problems are reported together", () => {
  const result = valuesOf("components.cni.enabled=yes", "values.pilot.replicaCount=0");
  assert.equal(result.kind === "invalid" && result.problems.length, 2);
});

const flags = [
  { flag: "a.b=1", want: { a: { b: 1 } } },
  { flag: "a.b=true", want: { a: { b: true } } },
  { flag: "a=v1.2", want: { a: "v1.2" } },
  { flag: "a.b\\.c=x=y", want: { a: { "b.c": "x=y" } } },
  { flag: "a={x, y}", want: { a: ["x", "y"] } },
  { flag: "a=007", want: { a: "007" } },
] as const;
for (const row of flags) {
  test(`--set ${row.flag}`, () => {
    const read = readSetFlags([row.flag]);
    assert.equal(read.kind, "ok");
    if (read.kind === "ok") assert.equal(JSON.stringify(read.tree), JSON.stringify(row.want));
  });
}

for (const flag of ["noequals", "=x", "a..b=1", ".a=1", `${"a.".repeat(20)}a=1`]) {
  test(`--set ${flag.slice(0, 20)} is refused`, () => assert.equal(readSetFlags([flag]).kind, "invalid"));
}

test("overlay does not touch prototypes", () => {
  const merged = overlay({}, JSON.parse('{"__proto__": {"polluted": true}}') as Tree);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.ok(Object.hasOwn(merged, "__proto__"));
});

test("whatever stands at a path is taken or refused, and what is taken can be rendered", () => {
  const paths = fc.constantFrom(
    ...[
      "profile",
      "revision",
      "hub",
      "components",
      "components.pilot",
      "components.pilot.k8s.overlays",
      "values",
    ],
    ...["components.cni.k8s.env", "components.pilot.k8s.strategy", "values.global", "values.pilot.env"],
    ...["meshConfig", "meshConfig.defaultConfig", "values.gatewayClasses.istio-waypoint", "values.pilot.pdb"],
    ...["values.ztunnel.updateStrategy", "values.ztunnel.resources", "values.cni.tolerations", "values.base"],
    ...[
      "values.global.waypoint",
      "values.pilot.memory",
      "values.pilot.revisionTags",
      "values.ztunnel.env.__proto__",
    ],
  );
  fc.assert(
    fc.property(paths, fc.jsonValue({ maxDepth: 3 }), (path, value) => {
      const asked = path.split(".").reduceRight<unknown>((below, key) => ({ [key]: below }), value) as Tree;
      const result = readInstallValues([{ profile: "ambient" }, asked]);
      if (result.kind === "invalid") return assert.ok(result.problems.length > 0);
      try {
        renderComponents(result.values, []);
      } catch (error) {
        assert.match(String(error), /overlay of/);
      }
    }),
    { numRuns: 500 },
  );
});
