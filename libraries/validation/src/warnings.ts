/** What an object says that has no effect in this mesh (reference: l7-and-cli §4.4): accepted, and worth a word. Pure. */

import type { DestinationRuleSpec, TrafficPolicySpec, VirtualServiceSpec } from "@meltemi/resources";
import { isFields } from "./check-schema.ts";
import { withDefaults } from "./defaults.ts";
import { Findings } from "./findings.ts";
import { KNOWN_KINDS } from "./kinds.ts";
import { formatPath, type Path } from "./path.ts";

type Fields = Readonly<Record<string, unknown>>;
type Warn = (spec: Fields, warn: (path: Path, problem: string) => void) => void;

/** `spec.exportTo: …` of an object that {@link checkObject} found sound; `kind` as in its manifest. */
export function warningsOf(group: string, kind: string, object: Fields): readonly string[] {
  const rules = WARNINGS[`${group}/${kind}`];
  if (rules === undefined) return [];
  const known = KNOWN_KINDS.find((each) => each.group === group && each.kind === kind);
  const [schema = {}] = known?.schemas.values() ?? [];
  // As it was checked: rules read what the schema promises, and a schema takes null for nothing.
  const { spec: found } = withDefaults(schema, object) as Fields;
  const spec = isFields(found) ? found : {};
  const findings = new Findings();
  rules(spec, (path, problem) => findings.warn(["spec", ...path], problem));
  return findings.all.map(({ path, problem }) => `${formatPath(path)}: ${problem}`);
}

const unread =
  (instead: string): Warn =>
  (_spec, warn) =>
    warn([], `this kind has no effect on workloads in ambient mode${instead}`);

const WARNINGS: Readonly<Record<string, Warn>> = {
  "networking.istio.io/Sidecar": unread(""),
  "networking.istio.io/EnvoyFilter": unread(": waypoints here are no Envoys"),
  "networking.istio.io/Gateway": unread(", waypoints and gateways are those of the Gateway API"),
  "networking.istio.io/ProxyConfig": unread(""),
  "networking.istio.io/WorkloadGroup": unread(""),
  "extensions.istio.io/WasmPlugin": unread(": waypoints here run no plugins"),
  "networking.istio.io/ServiceEntry": warnOfExport,
  "networking.istio.io/VirtualService": warnOfVirtualService,
  "networking.istio.io/DestinationRule": warnOfDestinationRule,
  "security.istio.io/AuthorizationPolicy": warnOfPolicy,
  "security.istio.io/PeerAuthentication": warnOfPeerAuthentication,
  "security.istio.io/RequestAuthentication": (spec, warn) => {
    if (!isTargeted(spec)) warn(["targetRefs"], "expected a target: without, no waypoint looks for tokens");
  },
  "telemetry.istio.io/Telemetry": (spec, warn) => {
    if (spec["selector"] !== undefined)
      warn(["selector"], "a selector chooses among sidecars: name waypoints or services in targetRefs");
  },
};

function warnOfExport(spec: Fields, warn: Parameters<Warn>[1]): void {
  const { exportTo } = spec;
  if (Array.isArray(exportTo) && exportTo.length > 0 && !exportTo.includes("*"))
    warn(["exportTo"], "has no effect in ambient mode: the object is seen everywhere");
}

function warnOfVirtualService(spec: Fields, warn: Parameters<Warn>[1]): void {
  const { gateways = [] } = spec as VirtualServiceSpec;
  if (gateways.length > 0 && !gateways.includes("mesh"))
    warn(["gateways"], 'waypoints apply what is for the gateway "mesh" only');
}

function warnOfDestinationRule(spec: Fields, warn: Parameters<Warn>[1]): void {
  const { workloadSelector, trafficPolicy, subsets = [] } = spec as unknown as DestinationRuleSpec;
  if (workloadSelector !== undefined)
    warn(["workloadSelector"], "the rule is for sidecars, and has no effect in ambient mode");
  const ofPolicy = (policy: TrafficPolicySpec | undefined, path: Path): void => {
    if (policy?.tunnel !== undefined) warn([...path, "tunnel"], "waypoints do not tunnel outwards");
    if (policy?.loadBalancer?.zoneAwareLbSetting !== undefined)
      warn([...path, "loadBalancer", "zoneAwareLbSetting"], "has no effect in ambient mode");
  };
  ofPolicy(trafficPolicy, ["trafficPolicy"]);
  for (const [index, subset] of subsets.entries())
    ofPolicy(subset.trafficPolicy, ["subsets", index, "trafficPolicy"]);
}

function warnOfPeerAuthentication(spec: Fields, warn: Parameters<Warn>[1]): void {
  const isDisabled = (mtls: unknown): boolean => isFields(mtls) && mtls["mode"] === "DISABLE";
  const problem = "DISABLE is the same as PERMISSIVE in ambient mode";
  if (isDisabled(spec["mtls"])) warn(["mtls", "mode"], problem);
  const ports = isFields(spec["portLevelMtls"]) ? spec["portLevelMtls"] : {};
  for (const [port, mtls] of Object.entries(ports))
    if (isDisabled(mtls)) warn(["portLevelMtls", port, "mode"], problem);
}

const L4_SOURCES: readonly string[] = [
  "principals",
  "namespaces",
  "serviceAccounts",
  "ipBlocks",
  "trustDomains",
];
const L4_KEYS: readonly string[] = [
  "source.ip",
  "source.namespace",
  "source.principal",
  "destination.ip",
  "destination.port",
];

interface PolicyRule {
  readonly from?: readonly { readonly source?: Fields }[];
  readonly to?: readonly { readonly operation?: Fields }[];
  readonly when?: readonly { readonly key: string }[];
}

/** Without targets a policy is ztunnel's, which sees connections and no requests (reference: l7-and-cli §2.1). */
function warnOfPolicy(spec: Fields, warn: Parameters<Warn>[1]): void {
  if (isTargeted(spec)) return;
  const { action = "ALLOW", rules = [] } = spec as {
    readonly action?: string;
    readonly rules?: readonly PolicyRule[];
  };
  if (action === "CUSTOM" || action === "AUDIT") {
    warn(["action"], `ztunnel does not support ${action}: name what a waypoint serves in targetRefs`);
    return;
  }
  const found = new Set(rules.flatMap(httpAttributes));
  if (found.size === 0) return;
  const names = [...found].slice(0, MAX_NAMES).join(", ");
  const how =
    action === "DENY"
      ? denyWithoutHttp(rules)
      : "enforces the policy without the rules that hold them, so that less is allowed";
  warn(
    ["rules"],
    `ztunnel does not support HTTP attributes (found: ${names}) and ${how}: use a waypoint and targetRefs`,
  );
}

function denyWithoutHttp(rules: readonly PolicyRule[]): string {
  const inert = rules.filter(isInertWithoutHttp).length;
  if (inert === 0) return "enforces the policy without them, so that more is denied";
  return inert === rules.length
    ? "without them the policy has no effect, so that nothing is denied"
    : `enforces the policy without them, ${inert} of its ${rules.length} rules not at all`;
}

/** A `to`, a `from` or a condition of which nothing is left never holds, and with it its rule (reference: protocol §5.5). */
function isInertWithoutHttp({ from = [], to = [], when = [] }: PolicyRule): boolean {
  return (
    (from.length > 0 &&
      from.every(
        ({ source = {} }) => !Object.keys(source).some((name) => L4_SOURCES.includes(positiveName(name))),
      )) ||
    (to.length > 0 &&
      to.every(
        ({ operation = {} }) => !Object.keys(operation).some((name) => positiveName(name) === "ports"),
      )) ||
    when.some(({ key }) => !L4_KEYS.includes(key))
  );
}

function positiveName(name: string): string {
  return name.replace(/^not(.)/, (_all, first: string) => first.toLowerCase());
}

function httpAttributes({ from = [], to = [], when = [] }: PolicyRule): readonly string[] {
  return [
    ...from.flatMap(({ source = {} }) =>
      Object.keys(source).filter((name) => !L4_SOURCES.includes(positiveName(name))),
    ),
    ...to.flatMap(({ operation = {} }) =>
      Object.keys(operation).filter((name) => positiveName(name) !== "ports"),
    ),
    ...when.map(({ key }) => key).filter((key) => !L4_KEYS.includes(key)),
  ];
}

/** A message is a line for a person; an object may hold thousands of claims. */
const MAX_NAMES = 10;

function isTargeted(spec: Fields): boolean {
  const { targetRef, targetRefs } = spec;
  return isFields(targetRef) || (Array.isArray(targetRefs) && targetRefs.length > 0);
}
