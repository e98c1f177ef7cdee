/** Kinds and shared rights, as chart base (reference: l7-and-cli §6.2). Pure. */

import { DEFINITION_RULES_MINOR } from "./facts.ts";
import {
  type ChartContext,
  flag,
  type Labels,
  type Manifest,
  ownerLabels,
  scopeOf,
  serviceAccount,
  text,
  texts,
} from "./objects.ts";
import { isTree, type Tree } from "./tree.ts";
import { validator } from "./webhook.ts";

const SHARED_GROUP = ".gateway.networking.k8s.io";
const OWN_GROUP = ".meltemi.io";

const RULES = "x-kubernetes-validations";

export function renderBase(
  { values, facts }: ChartContext,
  definitions: readonly Manifest[],
): readonly Manifest[] {
  const scope = scopeOf(values);
  const labels = (name: string): Labels => ownerLabels(values, "Base", name);
  const istioNamespace = text(values, "global.istioNamespace");
  const objects: Manifest[] = [];
  if (scope.cluster)
    for (const definition of definitions.filter(({ metadata }) => isWanted(metadata.name, values)))
      objects.push({
        ...(facts.minorVersion < DEFINITION_RULES_MINOR
          ? (withoutRules(definition) as Manifest)
          : definition),
        metadata: {
          ...definition.metadata,
          labels: { ...definition.metadata.labels, ...labels("istio-base") },
        },
      });
  if (scope.namespace && flag(values, "global.enableReaderRBAC"))
    objects.push(
      serviceAccount(
        "istio-reader-service-account",
        istioNamespace,
        { ...labels("istio-reader"), app: "istio-reader" },
        values,
        "global.imagePullSecrets",
      ),
    );
  const revision = text(values, "defaultRevision");
  if (scope.cluster && revision !== "")
    objects.push(
      validator(values, {
        name: "istiod-default-validator",
        // Of the control plane that it leads to, with which it is removed.
        labels: { ...ownerLabels(values, "Pilot", "istiod"), app: "istiod", istio: "istiod" },
        revision,
        webhook: "validation.istio.io",
        service: {
          name: revision === "default" ? "istiod" : `istiod-${revision}`,
          namespace: istioNamespace,
        },
        objects: { key: "istio.io/rev", operator: "DoesNotExist" },
      }),
    );
  return objects;
}

function isWanted(name: string, values: Tree): boolean {
  if (!flag(values, "base.enableCRDTemplates") || texts(values, "base.excludedCRDs").includes(name))
    return false;
  if (name.endsWith(SHARED_GROUP)) return text(values, "base.gatewayAPICRDs") !== "never";
  return name.endsWith(OWN_GROUP) || flag(values, "base.enableIstioConfigCRDs");
}

function withoutRules(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutRules);
  if (!isTree(value)) return value;
  const kept = Object.entries(value).filter(([key]) => key !== RULES);
  return Object.fromEntries(kept.map(([key, below]) => [key, withoutRules(below)]));
}
