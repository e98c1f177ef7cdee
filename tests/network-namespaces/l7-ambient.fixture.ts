/** The applications of Istio's ambient suite (reference: l7-and-cli §8.2): plain, behind a service's waypoint, behind a workload's. */

import assert from "node:assert/strict";
import { certificatePem } from "@meltemi/identity";
import { eventually, type TestAuthority } from "@meltemi/testkit";
import { type Answer, type AnyCall, Caller, type HttpCall, passedL7 } from "./l7-calls.fixture.ts";
import { apply, istioctl, kubectl, meshUp } from "./l7-cluster.fixture.ts";
import {
  AMBIENT,
  APPS,
  CONSUMER,
  callerProgram,
  echo,
  namespace,
  OUTSIDE,
  secretOf,
  service,
} from "./l7-objects.fixture.ts";

export const SERVICE_WAYPOINT = "waypoint-service";
export const WORKLOAD_WAYPOINT = "waypoint-workload";
export const USE_WAYPOINT = "istio.io/use-waypoint";

/** Behind no waypoint. */
export const PLAIN = "plain";
/** Label on the Service. */
export const ADDRESSED = "addressed";
/** Label on the pods. */
export const WORKLOAD = "workload";
/** Behind the service's waypoint, with pods of its own for policies on workloads. */
export const GUARDED = "guarded";

/** A waypoint, a policy or a label takes effect within this time. */
const PATIENCE = { deadlineMs: 20_000, everyMs: 100 } as const;

export const untilHolds = (check: () => Promise<void>): Promise<unknown> =>
  eventually(() => check().then(() => true), PATIENCE).catch((error: Error) => {
    throw error.cause ?? error;
  });

/** Namespace and target of every caller: a client beside the servers, one elsewhere in the mesh, one outside, a server itself. */
export type CallerName = "client" | "consumer" | "outside" | "self";
const CALLERS: Readonly<Record<CallerName, readonly [namespace: string, target: string]>> = {
  client: [APPS, "deploy/client"],
  consumer: [CONSUMER, "deploy/client"],
  outside: [OUTSIDE, "deploy/client"],
  self: [APPS, "deploy/echo-v1"],
};

export const callers: Partial<Record<CallerName, Caller>> = {};

export function callerNamed(name: CallerName): Caller {
  const caller = callers[name];
  assert.ok(caller !== undefined, `no caller ${name}`);
  return caller;
}

/** `authority` becomes the CA of the mesh. */
export async function ambientUp(authority: TestAuthority): Promise<void> {
  await meshUp(namespace("istio-system"), plugIn(authority));
  await apply(
    namespace(APPS, AMBIENT),
    namespace(CONSUMER, AMBIENT),
    namespace(OUTSIDE),
    ...echo("echo-v1", "v1", "node-1"),
    ...echo("echo-v2", "v2", "node-2"),
    ...ownLabels(WORKLOAD, { [USE_WAYPOINT]: WORKLOAD_WAYPOINT }),
    ...ownLabels(GUARDED),
    ...echo("external", "external", "node-2", { namespace: OUTSIDE }),
    service(PLAIN),
    service(ADDRESSED, { labels: { [USE_WAYPOINT]: SERVICE_WAYPOINT } }),
    service(WORKLOAD, { selector: { app: WORKLOAD } }),
    service(GUARDED, { selector: { app: GUARDED }, labels: { [USE_WAYPOINT]: SERVICE_WAYPOINT } }),
    ...callerProgram("client", APPS, "node-1"),
    ...callerProgram("client", CONSUMER, "node-2"),
    ...callerProgram("client", OUTSIDE, "node-1"),
  );
  for (const each of [APPS, CONSUMER, OUTSIDE])
    await kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", each, "--timeout=60s");
  await waypoint("apply", "--name", WORKLOAD_WAYPOINT, "--for", "workload", "--wait");
  await waypoint("apply", "--name", SERVICE_WAYPOINT, "--for", "service", "--wait");
  for (const [name, [where, target]] of Object.entries(CALLERS))
    callers[name as CallerName] = new Caller(where, target);
}

/** The authority as the mesh's CA (Istio's keys). */
function plugIn({ issuer, rootPem }: TestAuthority): object {
  const cert = certificatePem(issuer.certificate);
  return {
    ...secretOf("cacerts", {
      "ca-cert.pem": cert,
      "ca-key.pem": issuer.key.export({ format: "pem", type: "pkcs8" }).toString(),
      "cert-chain.pem": cert,
      "root-cert.pem": rootPem,
    }),
    metadata: { name: "cacerts", namespace: "istio-system" },
  };
}

const ownLabels = (name: string, podLabels: Readonly<Record<string, string>> = {}): readonly object[] =>
  echo(name, "v1", "node-2", { labels: { app: name }, podLabels });

/** `istioctl waypoint …` in `apps`. */
export const waypoint = (...words: readonly string[]): Promise<string> =>
  istioctl("waypoint", ...words, "-n", APPS);

export const label = (what: string, ...labels: readonly string[]): Promise<string> =>
  kubectl("label", "-n", APPS, "--overwrite", ...what.split("/"), ...labels);

export const annotate = (what: string, ...annotations: readonly string[]): Promise<string> =>
  kubectl("annotate", "-n", APPS, "--overwrite", ...what.split("/"), ...annotations);

export async function podAddress(app: string, namespace: string = APPS): Promise<string> {
  const words = ["get", "pods", "-n", namespace, "-l", app.includes("=") ? app : `app=${app}`];
  const pods = await kubectl(...words, "-o", "jsonpath={.items[0].status.podIP}");
  assert.notEqual(pods, "", `a pod of ${app}`);
  return pods;
}

export const waypointAddress = (name: string): Promise<string> =>
  podAddress(`gateway.networking.k8s.io/gateway-name=${name}`);

export const get = (host: string, more: Partial<HttpCall> = {}): HttpCall => ({
  kind: "http",
  url: `http://${host}/`,
  ...more,
});

/** Every answer is a 200 that passed, or did not pass, a proxy that reads HTTP. */
export function assertL7(answers: readonly Answer[], l7: boolean, about: string): void {
  for (const answer of answers) {
    assert.equal(answer.error, undefined, about);
    assert.equal(answer.status, 200, `${about}: ${answer.body}`);
    assert.equal(passedL7(answer), l7, `${about}: through L7`);
  }
}

export const untilL7 = (from: CallerName, call: AnyCall, l7: boolean): Promise<unknown> =>
  untilHolds(async () => assertL7(await callerNamed(from).all(call), l7, `${from}: ${JSON.stringify(call)}`));

/** Requests in a row while `change` happens, and some after it: none may fail. */
export async function losesNothing(
  call: HttpCall,
  change: () => Promise<unknown>,
): Promise<readonly Answer[]> {
  let isOver = false;
  const answers: Answer[] = [];
  const traffic = (async () => {
    while (!isOver) answers.push(...(await callerNamed("client").all({ ...call, times: 10, pauseMs: 20 })));
    answers.push(...(await callerNamed("client").all({ ...call, times: 10 })));
  })();
  await change().finally(() => {
    isOver = true;
  });
  await traffic;
  const failed = answers.filter(({ status, error }) => status !== 200 || error !== undefined);
  assert.deepEqual(failed, [], `${failed.length} of ${answers.length} requests failed`);
  return answers;
}

export async function condition(
  kind: string,
  name: string,
  type: string,
  namespace: string = APPS,
): Promise<{ readonly status: string; readonly reason: string; readonly message: string } | undefined> {
  const { status } = JSON.parse(await kubectl("get", kind, name, "-n", namespace, "-o", "json"));
  const conditions = status?.conditions ?? status?.parents?.[0]?.conditions ?? [];
  return conditions.find((each: { readonly type: string }) => each.type === type);
}
