import assert from "node:assert/strict";
import { test } from "node:test";
import { decideEnrolment, type EnrolmentDecision, type PodFacts } from "./decide-enrolment.ts";

const MODE = "istio.io/dataplane-mode";
const RULES = { excludeNamespaces: new Set(["kube-system"]), dnsCapture: true };
const facts = (changes: Partial<PodFacts> = {}): PodFacts => ({
  namespace: "default",
  hostNetwork: false,
  labels: {},
  annotations: {},
  namespaceLabels: {},
  runtimeClass: undefined,
  finished: false,
  ...changes,
});
const inAmbient = { namespaceLabels: { [MODE]: "ambient" } };
const ENROL: EnrolmentDecision = { kind: "enrol", captureDns: true, captureInbound: true };
const leave = (why: Extract<EnrolmentDecision, { kind: "leave" }>["why"]): EnrolmentDecision => ({
  kind: "leave",
  why,
});

const CASES: readonly { name: string; pod: PodFacts; want: EnrolmentDecision }[] = [
  { name: "namespace is ambient", pod: facts(inAmbient), want: ENROL },
  { name: "pod is ambient, namespace is not", pod: facts({ labels: { [MODE]: "ambient" } }), want: ENROL },
  { name: "no label", pod: facts(), want: leave("not-labelled") },
  {
    name: "another word in the label",
    pod: facts({ namespaceLabels: { [MODE]: "Ambient" } }),
    want: leave("not-labelled"),
  },
  {
    name: "pod opted out",
    pod: facts({ ...inAmbient, labels: { [MODE]: "none" } }),
    want: leave("opted-out"),
  },
  { name: "host network", pod: facts({ ...inAmbient, hostNetwork: true }), want: leave("host-network") },
  {
    name: "sidecar was injected",
    pod: facts({ ...inAmbient, annotations: { "sidecar.istio.io/status": "{}" } }),
    want: leave("sidecar"),
  },
  {
    name: "sidecar was injected into a pod that is labelled itself",
    pod: facts({ labels: { [MODE]: "ambient" }, annotations: { "sidecar.istio.io/status": "" } }),
    want: leave("sidecar"),
  },
  {
    name: "injection enabled but the pod was not injected",
    pod: facts({ namespaceLabels: { [MODE]: "ambient", "istio-injection": "enabled" } }),
    want: ENROL,
  },
  {
    name: "excluded namespace",
    pod: facts({ ...inAmbient, namespace: "kube-system" }),
    want: leave("excluded-namespace"),
  },
  {
    name: "excluded namespace, pod labelled itself",
    pod: facts({ namespace: "kube-system", labels: { [MODE]: "ambient" } }),
    want: leave("excluded-namespace"),
  },
  { name: "ztunnel", pod: facts({ ...inAmbient, labels: { app: "ztunnel" } }), want: leave("ztunnel") },
  {
    name: "a virtual machine",
    pod: facts({ ...inAmbient, runtimeClass: "kata-qemu" }),
    want: leave("sandboxed-runtime"),
  },
  {
    name: "a kernel of its own",
    pod: facts({ ...inAmbient, runtimeClass: "gvisor" }),
    want: leave("sandboxed-runtime"),
  },
  { name: "another runtime", pod: facts({ ...inAmbient, runtimeClass: "nvidia" }), want: ENROL },
  {
    name: "a virtual machine outside the mesh",
    pod: facts({ runtimeClass: "kata" }),
    want: leave("not-labelled"),
  },
  { name: "finished pod", pod: facts({ ...inAmbient, finished: true }), want: leave("finished") },
  {
    name: "inbound bypass",
    pod: facts({ ...inAmbient, annotations: { "ambient.istio.io/bypass-inbound-capture": "true" } }),
    want: { ...ENROL, captureInbound: false },
  },
  {
    name: "inbound bypass with another word",
    pod: facts({ ...inAmbient, annotations: { "ambient.istio.io/bypass-inbound-capture": "yes" } }),
    want: ENROL,
  },
  {
    name: "DNS capture off for the pod",
    pod: facts({ ...inAmbient, annotations: { "ambient.istio.io/dns-capture": "false" } }),
    want: { ...ENROL, captureDns: false },
  },
];

for (const { name, pod, want } of CASES)
  test(`decideEnrolment: ${name}`, () => assert.deepEqual(decideEnrolment(pod, RULES), want));

test("decideEnrolment: DNS capture on for the pod where it is off by default", () => {
  const pod = facts({ ...inAmbient, annotations: { "ambient.istio.io/dns-capture": "true" } });
  assert.deepEqual(decideEnrolment(pod, { ...RULES, dnsCapture: false }), ENROL);
});
