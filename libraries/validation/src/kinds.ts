/** Which kinds are known, from the definitions that the mesh installs. Pure. */

import {
  customResourceDefinitions,
  type Parsed,
  parseAuthorizationPolicy,
  parseDestinationRule,
  parseGrpcRoute,
  parseHttpRoute,
  parsePeerAuthentication,
  parseRateLimitPolicy,
  parseRequestAuthentication,
  parseServiceEntry,
  parseTcpRoute,
  parseTelemetry,
  parseTlsRoute,
  parseVirtualService,
  parseWorkloadEntry,
} from "@meltemi/resources";
import type { OpenApiSchema } from "./check-schema.ts";
import { KIND_RULES, type KindRules } from "./rules/kind-rules.ts";
import { nearestName, suggestion } from "./suggest.ts";

export interface KnownKind {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly schemas: ReadonlyMap<string, OpenApiSchema>;
  /** True when the definition takes any spec: its fields are not known here. */
  readonly isOpen: boolean;
  /** What a schema cannot say; undefined when nothing more is known. */
  readonly parse: ((object: unknown) => Parsed<unknown>) | undefined;
  /** What Istio refuses beyond both. */
  readonly rules: KindRules | undefined;
}

export type KindLookup =
  | { readonly kind: "known"; readonly known: KnownKind; readonly schema: OpenApiSchema }
  | { readonly kind: "operator" }
  /** A List: its items are objects. */
  | { readonly kind: "list" }
  /** Somebody else's: not checked here. */
  | { readonly kind: "foreign" }
  | { readonly kind: "wrong"; readonly field: "apiVersion" | "kind"; readonly problem: string };

interface DefinitionManifest {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly scope: string;
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: OpenApiSchema };
    }[];
  };
}

const PARSERS: Readonly<Record<string, (object: unknown) => Parsed<unknown>>> = {
  "security.istio.io/AuthorizationPolicy": parseAuthorizationPolicy,
  "security.istio.io/PeerAuthentication": parsePeerAuthentication,
  "security.istio.io/RequestAuthentication": parseRequestAuthentication,
  "networking.istio.io/ServiceEntry": parseServiceEntry,
  "networking.istio.io/WorkloadEntry": parseWorkloadEntry,
  "networking.istio.io/VirtualService": parseVirtualService,
  "networking.istio.io/DestinationRule": parseDestinationRule,
  "telemetry.istio.io/Telemetry": parseTelemetry,
  "gateway.networking.k8s.io/HTTPRoute": parseHttpRoute,
  "gateway.networking.k8s.io/GRPCRoute": parseGrpcRoute,
  "gateway.networking.k8s.io/TCPRoute": parseTcpRoute,
  "gateway.networking.k8s.io/TLSRoute": parseTlsRoute,
  "meltemi.io/RateLimitPolicy": parseRateLimitPolicy,
};

const OPERATOR = { group: "install.istio.io", version: "v1alpha1", kind: "IstioOperator" } as const;

export const KNOWN_KINDS: readonly KnownKind[] = (
  customResourceDefinitions() as readonly DefinitionManifest[]
).map(({ spec }) => {
  const schemas = new Map(spec.versions.map((each) => [each.name, each.schema.openAPIV3Schema]));
  const [first] = schemas.values();
  return {
    group: spec.group,
    kind: spec.names.kind,
    plural: spec.names.plural,
    namespaced: spec.scope === "Namespaced",
    schemas,
    isOpen: first?.properties?.["spec"]?.["x-kubernetes-preserve-unknown-fields"] === true,
    parse: PARSERS[`${spec.group}/${spec.names.kind}`],
    rules: KIND_RULES[`${spec.group}/${spec.names.kind}`],
  };
});

const GROUPS: readonly string[] = [...new Set([...KNOWN_KINDS.map(({ group }) => group), OPERATOR.group])];

/** How an object names its kind: anything of another group is foreign, unless it looks like a slip of ours. */
export function lookUpKind(apiVersion: unknown, kind: unknown): KindLookup {
  if (typeof apiVersion !== "string" || apiVersion === "")
    return wrong("apiVersion", `expected text such as security.istio.io/v1, got ${missing(apiVersion)}`);
  if (typeof kind !== "string" || kind === "")
    return wrong("kind", `expected text such as AuthorizationPolicy, got ${missing(kind)}`);
  if (apiVersion === "v1" && kind === "List") return { kind: "list" };
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  if (!GROUPS.includes(group)) return lookUpForeign(apiVersion, group, kind);
  if (group === OPERATOR.group) return lookUpOperator(apiVersion, version, kind);
  const kinds = KNOWN_KINDS.filter((each) => each.group === group);
  const known = kinds.find((each) => each.kind === kind);
  if (known === undefined)
    return wrong(
      "kind",
      `${group} has no kind ${kind}${suggestion(
        kind,
        kinds.map((each) => each.kind),
      )}`,
    );
  const schema = known.schemas.get(version);
  return schema === undefined
    ? wrong("apiVersion", `${kind} has no version ${apiVersion}; expected ${versionsOf(known)}`)
    : { kind: "known", known, schema };
}

function lookUpOperator(apiVersion: string, version: string, kind: string): KindLookup {
  if (kind !== OPERATOR.kind)
    return wrong("kind", `${OPERATOR.group} has no kind ${kind}; expected ${OPERATOR.kind}`);
  return version === OPERATOR.version
    ? { kind: "operator" }
    : wrong("apiVersion", `expected ${OPERATOR.group}/${OPERATOR.version}, got ${apiVersion}`);
}

/** A group that is nearly ours, below istio.io, or none at all for a kind that only the mesh has, is a mistake. */
function lookUpForeign(apiVersion: string, group: string, kind: string): KindLookup {
  const near = group === "" ? undefined : nearestGroup(group);
  const own = KNOWN_KINDS.find((each) => each.kind === kind && (near === undefined || each.group === near));
  if (near !== undefined || group.endsWith(".istio.io") || (group === "" && own !== undefined)) {
    const expected = own === undefined ? suggestion(group, GROUPS) : `; expected ${versionsOf(own)}`;
    return wrong("apiVersion", `there is no ${apiVersion}${expected}`);
  }
  return { kind: "foreign" };
}

/** Groups share their endings, so that only a letter or two may differ. */
function nearestGroup(group: string): string | undefined {
  const near = nearestName(group, GROUPS);
  return near !== undefined && Math.abs(near.length - group.length) <= 2 ? near : undefined;
}

function versionsOf(known: KnownKind): string {
  return [...known.schemas.keys()].map((version) => `${known.group}/${version}`).join(" or ");
}

function missing(value: unknown): string {
  return value === undefined || value === null || value === ""
    ? "nothing"
    : JSON.stringify(value).slice(0, 80);
}

function wrong(field: "apiVersion" | "kind", problem: string): KindLookup {
  return { kind: "wrong", field, problem };
}
