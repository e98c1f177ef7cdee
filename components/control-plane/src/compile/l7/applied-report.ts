/** Where a RequestAuthentication, Telemetry or DestinationRule has an effect, and what of it has none; the source of its status. */

import type { TrafficPolicySpec } from "@meltemi/resources";
import type { Output } from "../graph.ts";
import { reportTargets, type TargetReport, type WaypointVerdict } from "../policy-targets.ts";
import type { Compilation } from "../workload-parts.ts";
import type { DestinationRuleFacts, RequestAuthenticationFacts, TelemetryFacts } from "./facts.ts";
import { byAge } from "./hosts.ts";
import { type MissingCredential, missingCredentials } from "./missing-credentials.ts";
import { targetKey } from "./target-keys.ts";

export type AppliedVerdict =
  | WaypointVerdict
  /** All that waypoints serve in a namespace, or in the mesh when it is undefined. */
  | { readonly kind: "scope"; readonly namespace: string | undefined }
  /** An older one, as `namespace/name`, is in force in its place. */
  | { readonly kind: "shadowed"; readonly by: string }
  /** It has no targetRefs, and so is for sidecars: nobody in the mesh reads it. */
  | { readonly kind: "noTargets" }
  /** Nothing is sent where these are needed. */
  | { readonly kind: "credentials"; readonly missing: readonly MissingCredential[] }
  /** These fields have no effect. `all`: nor has anything else of it. */
  | { readonly kind: "withoutEffect"; readonly fields: readonly string[]; readonly all: boolean };

export interface AppliedReport {
  readonly kind: "RequestAuthentication" | "Telemetry" | "DestinationRule";
  readonly namespace: string;
  readonly name: string;
  readonly generation: number;
  readonly verdict: AppliedVerdict;
}

export function reportAuthentication(
  source: RequestAuthenticationFacts,
  compilation: Compilation,
): readonly Output<AppliedReport>[] {
  const isTargeted = source.targetRefs.length > 0;
  return output(
    "RequestAuthentication",
    source,
    isTargeted ? reportTargets(source, compilation) : { kind: "noTargets" },
  );
}

export function reportTelemetry(
  source: TelemetryFacts,
  compilation: Compilation,
): readonly Output<AppliedReport>[] {
  return output("Telemetry", source, telemetryVerdict(source, compilation));
}

function telemetryVerdict(source: TelemetryFacts, compilation: Compilation): AppliedVerdict {
  const { inputs, read, settings } = compilation;
  const { namespace, targetRefs, hasSelector } = source;
  if (hasSelector) return { kind: "noTargets" };
  if (targetRefs.length === 0) {
    const older = shadowing(source, read.by(inputs.telemetries, "namespace", namespace));
    if (older !== undefined) return { kind: "shadowed", by: older };
    return { kind: "scope", namespace: namespace === settings.rootNamespace ? undefined : namespace };
  }
  const { targets } = reportTargets(source, compilation);
  return {
    kind: "targets",
    targets: targets.map((target): TargetReport => {
      const key = targetKey(target.reference, namespace);
      const older = key && shadowing(source, read.by(inputs.telemetries, "target", key));
      if (!older || target.outcome.kind !== "bound") return target;
      const problem = `${target.reference.kind} ${target.key}: the older Telemetry ${older} is in force`;
      return { ...target, outcome: { kind: "invalid", problem } };
    }),
  };
}

/** The oldest of all for one target or scope is the one that counts. */
function shadowing(source: TelemetryFacts, all: readonly TelemetryFacts[]): string | undefined {
  const [oldest] = all.toSorted(byAge);
  if (oldest === undefined || oldest.name === source.name) return undefined;
  return `${oldest.namespace}/${oldest.name}`;
}

/** What a waypoint does not do is told, as is a rule for sidecars; of a rule that is all done nothing is said. */
export function reportDestinationRule(
  source: DestinationRuleFacts,
  compilation: Compilation,
): readonly Output<AppliedReport>[] {
  const { spec } = source;
  if (spec.workloadSelector !== undefined)
    return output("DestinationRule", source, {
      kind: "withoutEffect",
      fields: ["workloadSelector, which chooses among sidecars"],
      all: true,
    });
  const missing = missingCredentials(source, compilation);
  if (missing.length > 0) return output("DestinationRule", source, { kind: "credentials", missing });
  const fields = [
    ...unenforced(spec.trafficPolicy, "trafficPolicy"),
    ...(spec.subsets ?? []).flatMap(({ name, trafficPolicy }) =>
      unenforced(trafficPolicy, `subsets[${name}].trafficPolicy`),
    ),
  ];
  if (fields.length === 0) return [];
  return output("DestinationRule", source, { kind: "withoutEffect", fields, all: false });
}

function unenforced(policy: TrafficPolicySpec | undefined, path: string): readonly string[] {
  const zones = "loadBalancer.zoneAwareLbSetting";
  return [
    ...(policy?.tunnel === undefined ? [] : [`${path}.tunnel`]),
    ...(policy?.loadBalancer?.zoneAwareLbSetting === undefined ? [] : [`${path}.${zones}`]),
    ...(policy?.portLevelSettings ?? []).flatMap(({ port, loadBalancer }) =>
      loadBalancer?.zoneAwareLbSetting === undefined
        ? []
        : [`${path}.portLevelSettings[${port?.number ?? ""}].${zones}`],
    ),
  ];
}

function output(
  kind: AppliedReport["kind"],
  { namespace, name, generation }: Omit<AppliedReport, "kind" | "verdict">,
  verdict: AppliedVerdict,
): readonly Output<AppliedReport>[] {
  const value = { kind, namespace, name, generation, verdict };
  return [{ key: `${kind}/${namespace}/${name}`, value }];
}
