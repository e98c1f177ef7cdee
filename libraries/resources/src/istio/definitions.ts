/** The CRDs of Istio's kinds. Those whose meaning this mesh does not read yet take any spec, so that charts and tools find them. */

import { AGE, type Definition, PERMISSIVE_SPEC, type PrinterColumn } from "../definition.ts";
import { AUTHORIZATION_POLICY_SPEC } from "./authorization-policy.ts";
import { DESTINATION_RULE_SPEC } from "./destination-rule.ts";
import { PEER_AUTHENTICATION_SPEC } from "./peer-authentication.ts";
import { REQUEST_AUTHENTICATION_SPEC } from "./request-authentication.ts";
import { SERVICE_ENTRY_SPEC, SERVICE_ENTRY_STATUS } from "./service-entry.ts";
import { ISTIO_STATUS } from "./status.ts";
import { TELEMETRY_SPEC } from "./telemetry.ts";
import { VIRTUAL_SERVICE_SPEC } from "./virtual-service.ts";
import { WORKLOAD_ENTRY_SPEC } from "./workload-entry.ts";

const LABELS = { app: "istio-pilot", chart: "istio", heritage: "Tiller", release: "istio" };
/** Uninstalling the chart must not delete every policy of the cluster. */
const ANNOTATIONS = { "helm.sh/resource-policy": "keep" };
const STABLE = ["v1", "v1beta1", "v1alpha3"];

function column(name: string, jsonPath: string): PrinterColumn {
  return { name, type: "string", jsonPath };
}

/** Whether who enforces a policy has accepted it, under the name of the condition. */
function accepted(by: "Ztunnel" | "Waypoint"): PrinterColumn {
  return column(`${by}Accepted`, `.status.conditions[?(@.type=="${by}Accepted")].status`);
}

const MESSAGE: PrinterColumn = { ...column("Message", ".status.conditions[0].message"), priority: 1 };

type Row = Partial<Definition> & Pick<Definition, "kind" | "plural" | "versions">;

function inGroup(
  group: string,
  extraLabels: Readonly<Record<string, string>>,
  rows: readonly Row[],
): readonly Definition[] {
  const categories = ["istio-io", `${group.slice(0, group.indexOf("."))}-istio-io`];
  return rows.map((row) => ({
    group,
    categories,
    labels: { ...LABELS, ...extraLabels },
    annotations: ANNOTATIONS,
    spec: PERMISSIVE_SPEC,
    status: ISTIO_STATUS,
    ...row,
  }));
}

const SECURITY: readonly Row[] = [
  {
    kind: "AuthorizationPolicy",
    plural: "authorizationpolicies",
    shortNames: ["ap"],
    versions: ["v1", "v1beta1"],
    columns: [column("Action", ".spec.action"), accepted("Ztunnel"), accepted("Waypoint"), AGE, MESSAGE],
    spec: AUTHORIZATION_POLICY_SPEC,
  },
  {
    kind: "PeerAuthentication",
    plural: "peerauthentications",
    shortNames: ["pa"],
    versions: ["v1", "v1beta1"],
    columns: [column("Mode", ".spec.mtls.mode"), AGE],
    spec: PEER_AUTHENTICATION_SPEC,
  },
  {
    kind: "RequestAuthentication",
    plural: "requestauthentications",
    shortNames: ["ra"],
    versions: ["v1", "v1beta1"],
    spec: REQUEST_AUTHENTICATION_SPEC,
  },
];

const NETWORKING: readonly Row[] = [
  {
    kind: "ServiceEntry",
    plural: "serviceentries",
    shortNames: ["se"],
    versions: STABLE,
    columns: [
      column("Hosts", ".spec.hosts"),
      column("Location", ".spec.location"),
      column("Resolution", ".spec.resolution"),
      AGE,
    ],
    spec: SERVICE_ENTRY_SPEC,
    specRequired: true,
    status: SERVICE_ENTRY_STATUS,
  },
  {
    kind: "WorkloadEntry",
    plural: "workloadentries",
    shortNames: ["we"],
    versions: STABLE,
    columns: [AGE, column("Address", ".spec.address")],
    spec: WORKLOAD_ENTRY_SPEC,
    specRequired: true,
  },
  { kind: "WorkloadGroup", plural: "workloadgroups", shortNames: ["wg"], versions: STABLE, columns: [AGE] },
  {
    kind: "VirtualService",
    plural: "virtualservices",
    shortNames: ["vs"],
    versions: STABLE,
    columns: [column("Gateways", ".spec.gateways"), column("Hosts", ".spec.hosts"), AGE],
    spec: VIRTUAL_SERVICE_SPEC,
  },
  {
    kind: "DestinationRule",
    plural: "destinationrules",
    shortNames: ["dr"],
    versions: STABLE,
    columns: [column("Host", ".spec.host"), AGE],
    spec: DESTINATION_RULE_SPEC,
  },
  { kind: "Gateway", plural: "gateways", shortNames: ["gw"], versions: STABLE },
  { kind: "Sidecar", plural: "sidecars", versions: STABLE },
  { kind: "EnvoyFilter", plural: "envoyfilters", versions: ["v1alpha3"] },
  { kind: "ProxyConfig", plural: "proxyconfigs", versions: ["v1beta1"] },
];

const TELEMETRY: readonly Row[] = [
  {
    kind: "Telemetry",
    plural: "telemetries",
    shortNames: ["telemetry"],
    versions: ["v1", "v1alpha1"],
    columns: [AGE],
    spec: TELEMETRY_SPEC,
  },
];

const EXTENSIONS: readonly Row[] = [
  { kind: "WasmPlugin", plural: "wasmplugins", versions: ["v1alpha1"], columns: [AGE] },
];

export const ISTIO_DEFINITIONS: readonly Definition[] = [
  ...inGroup("security.istio.io", { istio: "security" }, SECURITY),
  ...inGroup("networking.istio.io", {}, NETWORKING),
  ...inGroup("telemetry.istio.io", { istio: "telemetry" }, TELEMETRY),
  ...inGroup("extensions.istio.io", {}, EXTENSIONS),
];
