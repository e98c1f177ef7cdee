/** Analyzers of policies: what they select, who would enforce them, and whether that is possible (reference: l7-and-cli §2.0, §3.5). */

import {
  isAmbientNamespace,
  labelsMatch,
  matchLabelsOf,
  missingWaypointOf,
  modeOf,
  servicesOf,
  waypointOf,
} from "../mesh-objects/ambient.ts";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import {
  httpFieldsOf,
  policyAction,
  selectsPod,
  targetsOf,
  withoutHttpText,
} from "../mesh-objects/policies.ts";
import { jsonAt, objectsAt, textsAt } from "../output/json.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

const POLICY_KINDS = [
  "AuthorizationPolicy",
  "RequestAuthentication",
  "PeerAuthentication",
  "Telemetry",
  "WasmPlugin",
  "RateLimitPolicy",
];
/** Only a waypoint can enforce them, and it does so for what they refer to. */
const WAYPOINT_KINDS = ["RequestAuthentication", "Telemetry", "WasmPlugin"];
const GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name";

function policies({ objects }: AnalysisContext): readonly MeshObject[] {
  return POLICY_KINDS.flatMap((kind) => objects.all(kind));
}

function podsFor(policy: MeshObject, { objects, rootNamespace }: AnalysisContext): readonly MeshObject[] {
  return objects.all("Pod").filter((pod) => selectsPod(policy, pod, rootNamespace));
}

function* analyzeSelectors(context: AnalysisContext): Generator<Message> {
  for (const policy of policies(context)) {
    const wanted = matchLabelsOf(policy.spec);
    if (wanted === undefined || !context.hasCluster) continue;
    const selected = podsFor(policy, context);
    if (selected.length === 0)
      yield message(
        "noMatchingWorkloads",
        policy,
        `No matching workloads for this resource with the following labels: ${new URLSearchParams(wanted as Record<string, string>).toString().replaceAll("&", ",")}`,
      );
    const gateway = selected.find((pod) => pod.labels[GATEWAY_LABEL] !== undefined)?.labels[GATEWAY_LABEL];
    if (gateway !== undefined)
      yield message(
        "ineffectiveSelector",
        policy,
        `Ineffective selector on Kubernetes Gateway ${policy.namespace}/${gateway}. Use the TargetRef field instead.`,
      );
  }
}

function* analyzeTargets(context: AnalysisContext): Generator<Message> {
  const { objects, hasCluster } = context;
  for (const policy of policies(context)) {
    for (const target of targetsOf(policy)) {
      if (target.kind === "GatewayClass") continue;
      const found = objects.get(target.kind, target.namespace, target.name);
      if (found === undefined) {
        if (hasCluster)
          yield message(
            "referencedResourceNotFound",
            policy,
            `Referenced ${target.kind} not found: "${target.namespace}/${target.name}"`,
          );
        continue;
      }
      // That its waypoint is missing is said of whoever names it.
      const isSaid = missingWaypointOf(found, objects) !== undefined;
      const needsWaypoint = hasCluster && found.kind !== "Gateway" && !isSaid;
      if (needsWaypoint && waypointOf(found, objects) === undefined)
        yield message(
          "policyWithoutWaypoint",
          policy,
          `${found.kind} ${target.namespace}/${target.name} has no waypoint: nobody enforces this ${policy.kind} for it.`,
        );
    }
  }
}

/** What selects workloads in ambient mode is enforced by ztunnel, which reads no HTTP. */
function* analyzeAmbient(context: AnalysisContext): Generator<Message> {
  const { objects } = context;
  for (const policy of policies(context)) {
    if (targetsOf(policy).length > 0) continue;
    const ambient = podsFor(policy, context).filter(
      (pod) => modeOf(pod, objects) === "ambient" && !isWaypointPod(pod),
    );
    if (ambient.length === 0) continue;
    if (WAYPOINT_KINDS.includes(policy.kind) && policy.namespace !== context.rootNamespace && isL7(policy))
      yield message(
        "policyWithoutWaypoint",
        policy,
        `It selects workloads in ambient mode, which have no proxy for it: attach it to a Service or to a waypoint with targetRefs.`,
      );
    if (policy.kind === "AuthorizationPolicy") yield* analyzeL4Policy(policy, ambient, context);
  }
}

/** Telemetry of connections is ztunnel's too. */
function isL7(policy: MeshObject): boolean {
  return (
    policy.kind !== "Telemetry" ||
    Object.hasOwn(policy.spec, "tracing") ||
    Object.hasOwn(policy.spec, "accessLogging")
  );
}

function isWaypointPod(pod: MeshObject): boolean {
  return pod.labels[GATEWAY_LABEL] !== undefined;
}

function* analyzeL4Policy(
  policy: MeshObject,
  pods: readonly MeshObject[],
  context: AnalysisContext,
): Generator<Message> {
  const fields = httpFieldsOf(policy);
  const action = policyAction(policy);
  if (fields.length > 0)
    yield message(
      "policyWithoutWaypoint",
      policy,
      `ztunnel reads no HTTP: ${fields.join(", ")} ${withoutHttpText(policy)}. Attach it to a Service with a waypoint.`,
    );
  const sources = objectsAt(policy.spec, "rules").flatMap((rule) =>
    objectsAt(rule, "from").map((from) => jsonAt(from, "source")),
  );
  if (
    sources.some(
      (source) =>
        source !== undefined &&
        (Object.hasOwn(source, "trustDomains") || Object.hasOwn(source, "notTrustDomains")),
    )
  )
    yield message(
      "trustDomainsIgnored",
      policy,
      "trustDomains cannot be compared by ztunnel: use principals, with the trust domain in them.",
    );
  if (action === "ALLOW") yield* analyzeWaypointAccess(policy, pods, context);
}

/** Behind a waypoint, the waypoint is who connects: an ALLOW policy that does not know it refuses everybody. */
function* analyzeWaypointAccess(
  policy: MeshObject,
  pods: readonly MeshObject[],
  { objects }: AnalysisContext,
): Generator<Message> {
  const told = new Set<string>();
  for (const service of pods.flatMap((pod) => servicesOf(pod, objects))) {
    const waypoint = waypointOf(service, objects);
    if (waypoint === undefined || allowsWaypoint(policy, waypoint)) continue;
    const key = `${service.namespace}/${service.name}`;
    if (told.has(key)) continue;
    told.add(key);
    yield message(
      "waypointNotAllowed",
      policy,
      `Clients of Service ${key} come through waypoint ${waypoint.namespace}/${waypoint.name}, which this policy does not allow: add principal */ns/${waypoint.namespace}/sa/${waypoint.name}.`,
    );
  }
}

function allowsWaypoint(policy: MeshObject, waypoint: MeshObject): boolean {
  const account = `/ns/${waypoint.namespace}/sa/${waypoint.name}`;
  const rules = objectsAt(policy.spec, "rules");
  return rules.some((rule) => {
    const sources = objectsAt(rule, "from");
    if (sources.length === 0) return true;
    return sources.some((from) => {
      const source = jsonAt(from, "source");
      if (source === undefined || Object.keys(source).length === 0) return true;
      const byPrincipal = textsAt(source, "principals").some(
        (one) => one === "*" || matchesText(one, `cluster.local${account}`) || one.endsWith(account),
      );
      const byNamespace = textsAt(source, "namespaces").some((one) => matchesText(one, waypoint.namespace));
      const byAccount = textsAt(source, "serviceAccounts").some((one) =>
        [waypoint.name, `${waypoint.namespace}/${waypoint.name}`].includes(one),
      );
      // What is left can only be judged on a connection.
      const isOther = !["principals", "namespaces", "serviceAccounts"].some((key) =>
        Object.hasOwn(source, key),
      );
      return byPrincipal || byNamespace || byAccount || isOther;
    });
  });
}

function matchesText(pattern: string, text: string): boolean {
  if (pattern.startsWith("*")) return text.endsWith(pattern.slice(1));
  return pattern.endsWith("*") ? text.startsWith(pattern.slice(0, -1)) : pattern === text;
}

/** Kinds that only sidecars obey. */
function* analyzeSidecarKinds(context: AnalysisContext): Generator<Message> {
  const { objects } = context;
  for (const policy of ["Sidecar", "EnvoyFilter"].flatMap((kind) => objects.all(kind))) {
    const wanted = jsonAt(jsonAt(policy.spec, "workloadSelector"), "labels");
    const refersElsewhere = targetsOf(policy).length > 0;
    if (refersElsewhere) continue;
    const selected = objects
      .in("Pod", policy.namespace)
      .filter((pod) => wanted !== undefined && labelsMatch(wanted, pod));
    if (selected.some((pod) => modeOf(pod, objects) === "ambient"))
      yield message(
        "ineffectivePolicy",
        policy,
        "The policy has no effect: selected workload is in ambient mode, the policy has no impact",
      );
    else if (wanted === undefined && isAmbientNamespace(policy.namespace, objects))
      yield message(
        "ineffectivePolicy",
        policy,
        "The policy has no effect: namespace is in ambient mode, the policy has no impact",
      );
  }
}

function* analyzeExportTo({ objects }: AnalysisContext): Generator<Message> {
  for (const object of [...objects.all("Service"), ...objects.all("ServiceEntry")]) {
    if (!isAmbientNamespace(object.namespace, objects)) continue;
    const value =
      object.annotations["networking.istio.io/exportTo"] ?? textsAt(object.spec, "exportTo").join(",");
    if (value !== "" && value !== "*")
      yield message(
        "exportToIgnored",
        object,
        `exportTo ${value} has no effect in ambient mode: every client of the mesh sees it.`,
      );
  }
}

export const POLICY_ANALYZERS: readonly Analyzer[] = [
  {
    name: "policy.SelectorAnalyzer",
    about: "policies that select no workloads, or a waypoint's pods",
    analyze: analyzeSelectors,
  },
  {
    name: "policy.TargetAnalyzer",
    about: "policies that refer to what is missing, or to services without a waypoint",
    analyze: analyzeTargets,
  },
  {
    name: "ambient.PolicyAnalyzer",
    about: "policies that ztunnel cannot enforce as they are written",
    analyze: analyzeAmbient,
  },
  {
    name: "ambient.SidecarKindAnalyzer",
    about: "kinds that only sidecars obey",
    analyze: analyzeSidecarKinds,
  },
  {
    name: "ambient.ExportToAnalyzer",
    about: "exportTo, which ambient mode ignores",
    analyze: analyzeExportTo,
  },
];
