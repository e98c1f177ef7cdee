import assert from "node:assert/strict";
import { test } from "node:test";
import { ip, newWorkload } from "@meltemi/model";
import fc from "fast-check";
import { formatAuthority, parseAuthority } from "./authority.ts";
import { encodeBaggage, parseBaggage } from "./baggage.ts";
import { encodeForwarded, forwardedFor, forwardedHost } from "./forwarded.ts";

const WORKLOAD = newWorkload({
  uid: "u",
  name: "pod-1",
  namespace: "demo",
  workloadName: "web",
  canonicalName: "web",
  canonicalRevision: "v1",
  locality: { region: "r1", zone: "z1", subzone: "" },
});

test("baggage describes a workload in Istio's keys and order", () => {
  assert.equal(
    encodeBaggage(WORKLOAD),
    "k8s.cluster.name=Kubernetes,k8s.namespace.name=demo,k8s.deployment.name=web,service.name=web,service.version=v1,cloud.region=r1,cloud.availability_zone=z1",
  );
  assert.equal(
    encodeBaggage({
      ...WORKLOAD,
      clusterId: "",
      locality: { region: "", zone: "", subzone: "" },
      canonicalName: "",
      canonicalRevision: "",
      workloadName: "",
    }),
    "k8s.namespace.name=demo",
  );
});

test("baggage round-trips", () => {
  assert.deepEqual(parseBaggage([encodeBaggage(WORKLOAD)]), {
    cluster: "Kubernetes",
    namespace: "demo",
    workloadName: "web",
    workloadType: "deployment",
    serviceName: "web",
    revision: "v1",
    region: "r1",
    zone: "z1",
  });
});

for (const [name, headers, want] of [
  ["no header", [], {}],
  ["empty header", [""], {}],
  ["empty values are absent", ["k8s.namespace.name=,service.name=x"], { serviceName: "x" }],
  ["several instances", ["k8s.namespace.name=a", "service.name=x"], { namespace: "a", serviceName: "x" }],
  ["unknown keys", ["k8s.replicaset.name=a,constructor=b,__proto__=c"], {}],
  ["no equals sign", ["service.name"], {}],
  ["every kind of workload", ["k8s.job.name=a"], { workloadType: "job", workloadName: "a" }],
  ["a value too long", [`service.name=${"x".repeat(300)}`], {}],
] as const)
  test(`parseBaggage: ${name}`, () => assert.deepEqual({ ...parseBaggage(headers) }, want));

test("forwarded names the client and the service", () => {
  assert.equal(encodeForwarded({ ip: ip("10.0.0.1"), port: 1234 }, undefined), 'for="10.0.0.1:1234"');
  assert.equal(encodeForwarded({ ip: ip("::1"), port: 1234 }, "web.demo"), 'for="[::1]:1234";host=web.demo');
});

for (const [header, want] of [
  [undefined, undefined],
  ["", undefined],
  ['for="10.0.0.1:1"', undefined],
  ['for="10.0.0.1:1";host=web.demo', "web.demo"],
  ['Host="web.demo"; for=1', "web.demo"],
  ["host=web.demo, host=other", "web.demo"],
  ["host=", undefined],
  ["host=a b", undefined],
  [`host=${"x".repeat(300)}`, undefined],
] as const)
  test(`forwardedHost ${JSON.stringify(header)?.slice(0, 60)}`, () =>
    assert.equal(forwardedHost(header), want));

for (const [header, want] of [
  ['for="10.0.0.1:1234"', { ip: "10.0.0.1", port: 1234 }],
  ['for="[::1]:1234";host=web.demo', { ip: "::1", port: 1234 }],
  ['for="10.0.0.1:1", for="10.0.0.2:2"', { ip: "10.0.0.1", port: 1 }],
  ["host=web.demo", undefined],
  ['for="unknown"', undefined],
  ['for="10.0.0.1"', undefined],
  ["", undefined],
  [undefined, undefined],
] as const)
  test(`forwardedFor ${JSON.stringify(header)}`, () => assert.deepEqual(forwardedFor(header), want));

for (const [text, want] of [
  ["10.0.0.1:80", "address 10.0.0.1:80"],
  ["[fd00::1]:80", "address [fd00::1]:80"],
  ["web.demo.svc.cluster.local:80", "hostname web.demo.svc.cluster.local:80"],
  ["web:65535", "hostname web:65535"],
  ["10.0.0.1", undefined],
  ["10.0.0.1:0", undefined],
  ["10.0.0.1:65536", undefined],
  ["10.0.0.256:80", undefined],
  ["web:0", undefined],
  ["web", undefined],
  ["web:", undefined],
  [":80", undefined],
  ["", undefined],
  ["web:80:80", undefined],
  ["http://web:80", undefined],
  ["we b:80", undefined],
  ["fd00::1:80", undefined],
  [`${"x".repeat(254)}:80`, undefined],
] as const)
  test(`parseAuthority ${text.slice(0, 40)}`, () => {
    const parsed = parseAuthority(text);
    assert.equal(parsed === undefined ? undefined : `${parsed.kind} ${formatAuthority(parsed)}`, want);
  });

test("no header text throws, and an authority that parses prints as it was meant", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:[\]=;,"-]{0,40}$/)), (text) => {
      parseBaggage([text, text]);
      forwardedHost(text);
      forwardedFor(text);
      const parsed = parseAuthority(text);
      if (parsed !== undefined) assert.deepEqual(parseAuthority(formatAuthority(parsed)), parsed);
    }),
    { numRuns: 2000 },
  );
});
