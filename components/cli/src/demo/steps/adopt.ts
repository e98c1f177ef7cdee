/** The mesh grows namespace by namespace, beside what is in sidecar mode or in no mesh; and its proxies are replaced under traffic. */

import { areSame, isCaptured, type Pod, podsOf, restartsOf } from "../pods.ts";
import { accessLog, callWeb, describeOutcome } from "../refusal.ts";
import { CLIENT, STAGING, type Stage, type Target, UNMESHED } from "../stage.ts";
import { runInstall } from "./deploy.ts";
import { Traffic } from "./traffic.ts";

const DEADLINE_MS = 60_000;
const STAGING_IDENTITY = "spiffe://cluster.local/ns/staging/sa/client";
/** It carries the annotation that injection leaves on a pod. */
const INJECTED: Target = { namespace: "staging", deployment: "injected" };

export async function showSecondInstall(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Install over it: another variant of ztunnel, under traffic",
    "Every node's proxy is replaced; the programs neither restart nor lose a request.",
  );
  const before = await podsOf(stage);
  using traffic = new Traffic(stage);
  await stage.until("the first request", DEADLINE_MS, async () => traffic.count().sent > 0);
  const install = await runInstall(
    stage,
    "istioctl install --set profile=default --set components.ztunnel.enabled=true --set values.ztunnel.variant=distroless",
  );
  const { sent, failed } = await traffic.stop();
  const after = await podsOf(stage);
  const same = areSame(before, after) && restartsOf(after) === 0;
  const images = await imagesOfZtunnel(stage);
  stage.claim({
    claim: "install replaces the proxy of every node under traffic: no pod restarts and no request fails",
    ok:
      install.problem === undefined &&
      same &&
      failed === 0 &&
      sent > 0 &&
      images.every((image) => image.endsWith("-distroless")),
    seen:
      install.problem ??
      `done after ${install.elapsedMs} ms, every ztunnel is ${images.join(" and ")}; ${sent} requests meanwhile, ${failed} failed${failed === 0 ? "" : ` (${traffic.failures()})`}; same pods, no restart: ${same}`,
    figures: { installMs: install.elapsedMs, sent, failed },
  });
}

/** Each once; those that end are not counted. */
async function imagesOfZtunnel(stage: Stage): Promise<readonly string[]> {
  const pods = (await podsOf(stage, "istio-system")).filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined && metadata.labels?.["app"] === "ztunnel",
  );
  return [...new Set(pods.flatMap(({ spec }) => spec.containers.map(({ image }) => image)))];
}

export async function adoptStaging(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Adopt the next namespace, when it suits",
    "default is in the mesh, staging is not: they talk all the same, and one label later staging is in too.",
  );
  const before = await podsOf(stage, "staging");
  const outside = await callWeb(stage, STAGING);
  const provenBefore = await isProven(stage);
  await stage.typed("kubectl label namespace staging istio.io/dataplane-mode=ambient");
  await stage.until("every pod of staging but that with a sidecar to be captured", DEADLINE_MS, async () =>
    (await podsOf(stage, "staging")).every((pod) => isCaptured(pod) || isInjected(pod)),
  );
  const inside = await callWeb(stage, STAGING);
  await stage.until("the access log to name the caller", DEADLINE_MS, () => isProven(stage));
  const after = await podsOf(stage, "staging");
  const same = areSame(before, after) && restartsOf(after) === 0;
  stage.claim({
    claim:
      "namespaces join one at a time: who is not in yet is served, and who joins is proven by certificate",
    ok: outside.kind === "reached" && inside.kind === "reached" && !provenBefore && same,
    seen: `staging → default before the label: ${describeOutcome(outside)}, without an identity: ${!provenBefore}; after: ${describeOutcome(inside)}, as ${STAGING_IDENTITY}; same pods, no restart: ${same}`,
  });
}

/** Whether a server's ztunnel has noted the client of staging by its certificate. */
async function isProven(stage: Stage): Promise<boolean> {
  return (await accessLog(stage)).some(
    (line) => line.includes('direction="inbound"') && line.includes(`src.identity="${STAGING_IDENTITY}"`),
  );
}

const isInjected = ({ metadata }: Pod): boolean => metadata.labels?.["app"] === INJECTED.deployment;

/** Injection itself is not part of this release: what is shown is that ambient mode keeps out of its way. */
export async function showCoexistence(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Beside sidecar mode",
    "This mesh injects no sidecars: that does not exist yet. What it must not do is get in their way: a namespace labelled for injection, and a pod with a sidecar in an ambient namespace, are left alone, and served.",
  );
  await stage.typed("kubectl label namespace outside istio-injection=enabled");
  // A pod of its own, made after the label: nothing of the mesh is to be found on it.
  await stage.kubectl(["rollout", "restart", "deployment/unmeshed", "-n", "outside"]);
  await stage.kubectl(["rollout", "status", "deployment/unmeshed", "-n", "outside", "--timeout=60s"]);
  const outside = await podsOf(stage, "outside");
  const injected = (await podsOf(stage, "staging")).filter(isInjected);
  const calls = {
    "from the namespace in sidecar mode": await callWeb(stage, UNMESHED),
    "from the pod with a sidecar": await callWeb(stage, INJECTED),
    "from an ambient pod": await callWeb(stage, CLIENT),
  };
  const captured = [...outside, ...injected].filter(isCaptured).length;
  stage.claim({
    claim:
      "istio-injection=enabled (no sidecar is injected: that does not exist yet) and a pod with a sidecar are left to sidecar mode; all of them reach ambient pods",
    ok:
      captured === 0 && injected.length === 1 && Object.values(calls).every(({ kind }) => kind === "reached"),
    seen: `captured of ${outside.length + injected.length} such pods: ${captured}; ${Object.entries(calls)
      .map(([from, outcome]) => `${from}: ${describeOutcome(outcome)}`)
      .join(", ")}`,
  });
}
