/**
 * What a kubelet may do beyond RBAC (Kubernetes, "Using Node Authorization" and the admission plugin NodeRestriction): its own Node
 * and Lease, the pods on its node, and what those pods name: Secrets, ConfigMaps, tokens of their accounts. Pure.
 */
import type { Decision, ResourceAttempt } from "../identity/attempt.ts";
import { NODES, type UserInfo } from "../identity/user.ts";
import { type Json, listAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type PolicyRule, ruleAllows } from "./policy-rule.ts";

const PREFIX = "system:node:";
const LEASES_OF_NODES = "kube-node-lease";

/** The node whose kubelet somebody is; undefined for anybody else. */
export function nodeOf({ username, groups }: UserInfo): string | undefined {
  return groups.includes(NODES) && username.startsWith(PREFIX) ? username.slice(PREFIX.length) : undefined;
}

/** Pods as they are now. */
export interface PodLookup {
  in(namespace: string): readonly KubeObject[];
  find(namespace: string, name: string): KubeObject | undefined;
}

export function decideNodeAttempt(
  attempt: ResourceAttempt,
  node: string,
  rules: readonly PolicyRule[],
  pods: PodLookup,
): Decision {
  if (!rules.some((rule) => ruleAllows(rule, attempt))) return { kind: "denied", reason: "" };
  if (isRelated(attempt, node, pods)) return { kind: "allowed", reason: "" };
  return { kind: "denied", reason: `no relationship found between node '${node}' and this object` };
}

const READS: readonly string[] = ["get", "list", "watch"];

function isRelated(
  { group, resource, subresource, verb, namespace, name }: ResourceAttempt,
  node: string,
  pods: PodLookup,
): boolean {
  const someOwnPod = (judge: (pod: KubeObject) => boolean): boolean =>
    pods.in(namespace).some((pod) => textAt(pod, "spec", "nodeName") === node && judge(pod));
  switch (`${group}/${resource}`) {
    case "/secrets":
      return name !== "" && someOwnPod((pod) => namesIn(pod, "secret").includes(name));
    case "/configmaps":
      return name !== "" && someOwnPod((pod) => namesIn(pod, "configMap").includes(name));
    case "/serviceaccounts":
      return someOwnPod((pod) => textAt(pod, "spec", "serviceAccountName") === name);
    case "/nodes":
      // Which one is made says only its body.
      return READS.includes(verb) || verb === "create" || name === node;
    case "/pods": {
      if (READS.includes(verb)) return true;
      if (verb === "create" && subresource === "") return false;
      const pod = pods.find(namespace, name);
      // Of one that has gone meanwhile the kubelet is to hear that it has.
      return pod === undefined || textAt(pod, "spec", "nodeName") === node;
    }
    case "coordination.k8s.io/leases":
      return namespace === LEASES_OF_NODES && (verb === "create" || name === node);
    default:
      return true;
  }
}

/** Names of the Secrets or ConfigMaps that a pod cannot start without. */
function namesIn(pod: KubeObject, kind: "secret" | "configMap"): readonly (string | undefined)[] {
  const volumes = listAt(pod, "spec", "volumes").flatMap((volume) => [
    kind === "secret" ? textAt(volume, "secret", "secretName") : textAt(volume, "configMap", "name"),
    ...listAt(volume, "projected", "sources").map((source) => textAt(source, kind, "name")),
  ]);
  const containers = ["initContainers", "containers", "ephemeralContainers"].flatMap((field) =>
    listAt(pod, "spec", field).flatMap((container) => inEnvironment(container, kind)),
  );
  const pulls = kind === "secret" ? listAt(pod, "spec", "imagePullSecrets") : [];
  return [...volumes, ...containers, ...pulls.map((pull) => textAt(pull, "name"))];
}

function inEnvironment(container: Json, kind: "secret" | "configMap"): readonly (string | undefined)[] {
  return [
    ...listAt(container, "envFrom").map((from) => textAt(from, `${kind}Ref`, "name")),
    ...listAt(container, "env").map((variable) => textAt(variable, "valueFrom", `${kind}KeyRef`, "name")),
  ];
}
