/** The small pure parts of a container's description. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import type { Pod } from "@meltemi/kubernetes";
import fc from "fast-check";
import { fieldValue, resourceValue } from "./downward.ts";
import { imageName, parseCatalogue, resolveImage } from "./image.ts";
import { type LaunchSpec, quote, renderExecScript, renderLaunchScript } from "./launch-script.ts";
import { hostnameOf, renderHosts, renderResolvConf } from "./name-resolution.ts";
import { parseStat } from "./process-identity.ts";
import { formatInUnits, parseQuantity } from "./quantity.ts";
import { resolveInside } from "./resolve-path.ts";

for (const [reference, want] of [
  ["ztunnel", "ztunnel"],
  ["docker.io/istio/ztunnel:1.30", "ztunnel"],
  ["registry:5000/ztunnel", "ztunnel"],
  ["a/ztunnel:1@sha256:00", "ztunnel"],
  ["localhost/host", "host"],
] as const)
  test(`imageName: ${reference}`, () => assert.equal(imageName(reference), want));

test("resolveImage: program, machine, folder, and nothing", () => {
  const catalogue = parseCatalogue('{"pilot": {"entrypoint": ["node", "a.ts"]}}');
  assert.deepEqual(resolveImage(catalogue, "x/pilot:1"), { kind: "program", entrypoint: ["node", "a.ts"] });
  assert.deepEqual(resolveImage(catalogue, "localhost/host"), { kind: "host" });
  assert.deepEqual(resolveImage(catalogue, "/srv/root"), { kind: "folder", path: "/srv/root" });
  assert.throws(() => resolveImage(catalogue, "nginx:1"), { code: "NOT_FOUND", message: /or one of pilot/ });
});

for (const text of ["[]", "null", '{"a": {}}', '{"a": {"entrypoint": []}}', '{"a": {"entrypoint": [1]}}'])
  test(`parseCatalogue refuses ${text}`, () =>
    assert.throws(() => parseCatalogue(text), { code: "CONFIG_INVALID" }));

for (const [text, want] of [
  ["1", 1],
  ["250m", 0.25],
  ["64Mi", 64 * 2 ** 20],
  ["1.5Gi", 1.5 * 2 ** 30],
  ["1e3", 1000],
  ["2E", 2e18],
  ["", undefined],
  ["Mi", undefined],
  ["1Xi", undefined],
  ["1 Gi", undefined],
  ["1e999", undefined],
] as const)
  test(`parseQuantity: ${JSON.stringify(text)}`, () => assert.equal(parseQuantity(text), want));

test("formatInUnits rounds up, and not by a floating point's error", () => {
  assert.equal(formatInUnits(0.25, 0.001), "250");
  assert.equal(formatInUnits(0.0011, 0.001), "2");
  assert.equal(formatInUnits(100, 2 ** 20), "1");
});

const pod: Pod = {
  metadata: { name: "web-0", namespace: "shop", uid: "u1", labels: { b: "2", a: 'say "1"' } },
  spec: {
    nodeName: "node-1",
    containers: [{ name: "c", resources: { limits: { cpu: "500m" }, requests: { memory: "64Mi" } } }],
  },
};
const facts = { pod, podIps: ["10.244.1.2", "fd00::2"], hostIps: ["10.240.0.11"] };
for (const [path, want] of [
  ["metadata.name", "web-0"],
  ["metadata.uid", "u1"],
  ["metadata.labels['b']", "2"],
  ["metadata.annotations['none']", ""],
  ["metadata.labels", 'a="say \\"1\\""\nb="2"'],
  ["spec.serviceAccountName", "default"],
  ["status.podIPs", "10.244.1.2,fd00::2"],
  ["status.hostIP", "10.240.0.11"],
  ["status.phase", undefined],
] as const)
  test(`fieldValue: ${path}`, () => assert.equal(fieldValue(facts, path), want));

const capacity = { cpus: 2, memoryBytes: 2 ** 30 };
for (const [container, resource, divisor, want] of [
  ["c", "limits.cpu", "0", "1"],
  ["c", "limits.cpu", "1m", "500"],
  ["c", "limits.memory", "1Mi", "1024"],
  ["c", "requests.memory", "1Mi", "64"],
  ["c", "requests.cpu", "1m", "500"],
  ["none", "limits.cpu", "0", undefined],
  ["c", "limits", "0", undefined],
  ["c", "limits.cpu", "x", undefined],
] as const)
  test(`resourceValue: ${container} ${resource} in ${divisor}`, () =>
    assert.equal(resourceValue(pod, container, resource, divisor, capacity), want));

for (const [name, spec, want] of [
  [
    "ClusterFirst",
    {},
    "search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n",
  ],
  ["hostNetwork looks at the node's", { hostNetwork: true }, "nameserver 10.96.0.10\n"],
  ["Default", { dnsPolicy: "Default" }, "nameserver 10.96.0.10\n"],
  [
    "None with its own",
    {
      dnsPolicy: "None",
      dnsConfig: {
        nameservers: ["10.0.0.9"],
        searches: ["a.b"],
        options: [{ name: "ndots", value: "2" }, { name: "edns0" }],
      },
    },
    "search a.b\nnameserver 10.0.0.9\noptions ndots:2 edns0\n",
  ],
] as const)
  test(`renderResolvConf: ${name}`, () =>
    assert.equal(
      renderResolvConf({ metadata: { namespace: "shop" }, spec: { containers: [], ...spec } } as Pod),
      want,
    ));

test("hostname and hosts", () => {
  assert.equal(hostnameOf(pod, "node-1"), "web-0");
  assert.equal(hostnameOf({ spec: { containers: [], hostNetwork: true } }, "node-1"), "node-1");
  assert.equal(hostnameOf({ metadata: { name: `${"a".repeat(62)}-b` } }, "n"), "a".repeat(62));
  const aliased: Pod = {
    ...pod,
    spec: { containers: [], subdomain: "db", hostAliases: [{ ip: "1.2.3.4", hostnames: ["x", "y"] }] },
  };
  assert.match(
    renderHosts(aliased, "web-0", ["10.244.1.2"]),
    /10\.244\.1\.2 web-0\.db\.shop\.svc\.cluster\.local web-0\n1\.2\.3\.4 x y\n$/,
  );
});

const links: Record<string, string> = {
  "/r/var/run": "/run",
  "/r/a": "b/../c",
  "/r/up": "../../../etc",
  "/r/loop": "/loop",
  "/r/bin": "usr/bin",
};
for (const [path, want] of [
  ["/var/run/ztunnel", "/run/ztunnel"],
  ["/a/x", "/c/x"],
  ["/up", "/etc"],
  ["/../../x", "/x"],
  ["//./bin/", "/usr/bin"],
  ["/loop/x", undefined],
] as const)
  test(`resolveInside: ${path}`, () =>
    assert.equal(
      resolveInside("/r", path, (name) => links[name]),
      want,
    ));

test("parseStat: a name with brackets and spaces, and what is none", () => {
  const fields = ["S", ...Array.from({ length: 18 }, () => "0"), "4711", "0"];
  assert.deepEqual(parseStat(`42 (a) b) ${fields.join(" ")}`), { pid: 42, startTicks: 4711 });
  assert.equal(parseStat(""), undefined);
  assert.equal(parseStat("42 (sh) S 1"), undefined);
});

test("quote: a shell gives back what went in", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 40 }).filter((text) => !/[\0\n]/.test(text)),
      (text) => {
        const said = execFileSync("/bin/sh", ["-c", `printf %s ${quote(text)}`], { encoding: "utf8" });
        assert.equal(said, text);
      },
    ),
    { numRuns: 60 },
  );
});

const spec: LaunchSpec = {
  folder: "/s/c",
  rootFolder: "/s/c/root",
  podCgroup: "/cg/pod1",
  containerCgroup: "/cg/pod1/c",
  networkNamespace: "/run/netns/n",
  hostname: "web-0",
  hostPid: false,
  privileged: false,
  readOnlyRoot: true,
  layers: [{ lower: "/", upper: "/s/u", work: "/s/w", target: "/" }],
  mounts: [
    { source: "/s/v", target: "/data", kind: "folder", readOnly: true },
    { source: "/s/f", target: "/etc/app/f", kind: "file", readOnly: false },
  ],
  programFolder: "/home/dev/meltemi",
  hidden: ["/var/lib/meltemi"],
  workingDir: "/",
  userId: 1000,
  groupId: 2000,
  environment: new Map([
    ["A", "it's"],
    ["odd.name", "x"],
  ]),
  command: ["sh", "-c", "echo $A"],
};

test("renderLaunchScript is a valid script that says what the container is", () => {
  const script = renderLaunchScript(spec);
  execFileSync("/bin/sh", ["-n"], { input: script });
  for (const part of [
    "nsenter --net='/run/netns/n' unshare --mount --uts --ipc --pid",
    "mount -t overlay overlay -o 'lowerdir=/,upperdir=/s/u,workdir=/s/w' '/s/c/root'",
    "mount -t sysfs -o ro sysfs sys",
    "mount --rbind '/s/v' './data'\nmount -o remount,bind,ro './data'",
    "mount -t tmpfs -o ro,size=4k,mode=0 tmpfs './var/lib/meltemi'",
    "mount -o remount,bind,ro .\n",
    "export A='it'\\''s'",
    "exec /usr/bin/env 'odd.name=x' /usr/bin/nsenter --root=. --wd='./' -S 1000 -G 2000 -- 'sh' '-c' 'echo $A'",
  ])
    assert.ok(script.includes(part), part);
  const shared = renderLaunchScript({ ...spec, hostPid: true });
  assert.ok(shared.includes("mount --rbind /proc proc") && !shared.includes("--ipc --pid"));
});

test("the program's folder is reachable whatever covers it and whoever runs it", () => {
  const script = renderLaunchScript(spec);
  const volume = script.indexOf(spec.mounts[0]?.source ?? "?");
  const program = script.indexOf("mount --rbind '/home/dev/meltemi'");
  assert.ok(volume > 0 && program > volume);
  assert.ok(script.includes("chmod a+x './home' ") && script.includes("chmod a+x './home/dev' "));
  assert.ok(!renderLaunchScript({ ...spec, programFolder: undefined }).includes("/home/dev/meltemi"));
});

test("renderExecScript is a valid script", () => {
  const { environment, command, containerCgroup, workingDir } = spec;
  const script = renderExecScript({
    environment,
    command,
    containerCgroup,
    workingDir,
    processId: 42,
    userId: undefined,
    groupId: undefined,
  });
  execFileSync("/bin/sh", ["-n"], { input: script });
  assert.match(script, /nsenter --target 42 .*--root=\/proc\/42\/root --wd='\/proc\/42\/root\/'/);
});
