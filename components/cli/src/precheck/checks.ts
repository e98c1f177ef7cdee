/** `experimental precheck`: what of a cluster would hinder an installation (reference: l7-and-cli §3.6). Pure. */

import type { Level } from "../analyze/message.ts";
import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";

export interface PrecheckFacts {
  /** `GET /version`. */
  readonly version: Json;
  /** What the user may not do: `create deployments.apps in istio-system`. */
  readonly forbidden: readonly string[];
  readonly nodes: readonly Json[];
  /** CustomResourceDefinitions. */
  readonly definitions: readonly Json[];
}

export interface PrecheckProblem {
  readonly code: string;
  readonly level: Level;
  readonly subject: string;
  readonly text: string;
}

/** As Istio's own minimum: what it still tests. */
const MINIMUM_MINOR = 28;
/** `ingress_ifindex` in `sk_lookup`, by which inbound capture tells the pod's own connections (libraries/ebpf, features.ts). */
const MINIMUM_KERNEL: readonly [number, number] = [5, 17];
/** GRPCRoute and mesh routes of version v1. */
const MINIMUM_GATEWAY_API: readonly [number, number] = [1, 1];

export function precheck(facts: PrecheckFacts): readonly PrecheckProblem[] {
  return [
    ...facts.forbidden.map((what) =>
      problem(
        "IST0141",
        "Error",
        "Cluster",
        `The user lacks the permission to ${what}, which an installation needs.`,
      ),
    ),
    ...checkVersion(facts.version),
    ...facts.nodes.flatMap(checkNode),
    ...facts.definitions.flatMap(checkDefinition),
  ];
}

function problem(code: string, level: Level, subject: string, text: string): PrecheckProblem {
  return { code, level, subject, text };
}

function checkVersion(version: Json): readonly PrecheckProblem[] {
  const [major, minor] = [Number(textAt(version, "major")), Number.parseInt(textAt(version, "minor"), 10)];
  if (Number.isNaN(major) || Number.isNaN(minor) || major > 1 || minor >= MINIMUM_MINOR) return [];
  const text = `The Kubernetes Version ${JSON.stringify(textAt(version, "gitVersion"))} is lower than the minimum version: v1.${MINIMUM_MINOR}`;
  return [problem("IST0142", "Error", "Cluster", text)];
}

function checkNode(node: Json): readonly PrecheckProblem[] {
  const name = textAt(jsonAt(node, "metadata"), "name");
  const kernel = textAt(jsonAt(jsonAt(node, "status"), "nodeInfo"), "kernelVersion");
  if (kernel === "" || !isOlder(kernel, MINIMUM_KERNEL)) return [];
  const text = `Its kernel ${kernel} is older than ${MINIMUM_KERNEL.join(".")}: traffic is captured with nftables there, not with eBPF.`;
  return [problem("MLT0014", "Warning", `Node ${name}`, text)];
}

function checkDefinition(definition: Json): readonly PrecheckProblem[] {
  const metadata = jsonAt(definition, "metadata");
  const name = textAt(metadata, "name");
  if (!name.endsWith(".gateway.networking.k8s.io")) return [];
  const version = textAt(jsonAt(metadata, "annotations"), "gateway.networking.k8s.io/bundle-version");
  const served = objectsAt(jsonAt(definition, "spec"), "versions").map((one) => textAt(one, "name"));
  if (version === "" || !isOlder(version, MINIMUM_GATEWAY_API)) return [];
  const text = `The Gateway API CRD has version ${version} (${served.join(", ")}); expected v${MINIMUM_GATEWAY_API.join(".")} or later.`;
  return [problem("IST0156", "Error", `CustomResourceDefinition ${name}`, text)];
}

/** By the first two numbers; a text without them is not older than anything. */
function isOlder(text: string, [wantedMajor, wantedMinor]: readonly [number, number]): boolean {
  const match = /^v?(\d+)\.(\d+)/.exec(text);
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}
