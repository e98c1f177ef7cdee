/** Matches of a VirtualService (reference: l7-and-cli §2.4), and how a delegate's narrow those of who delegates. Pure. */

import type {
  NamedMatch,
  PathMatch,
  RequestMatch,
  SourceMatch,
  TcpMatch,
  TextMatch,
} from "@meltemi/model/l7";
import type { HttpMatchSpec, StreamMatchSpec, StringMatchSpec } from "@meltemi/resources";
import { textMatch } from "./values.ts";

const MESH_GATEWAY = "mesh";

/** Whether the rule is for proxies of the mesh, and for this port. */
export function isForPort(
  { gateways, port }: Pick<HttpMatchSpec, "gateways" | "port">,
  servicePort: number,
): boolean {
  return isForMesh(gateways) && (port === undefined || port === 0 || port === servicePort);
}

/** Not given: `mesh`. */
export function isForMesh(gateways: readonly string[] | undefined): boolean {
  return gateways === undefined || gateways.length === 0 || gateways.includes(MESH_GATEWAY);
}

export function requestMatch(spec: HttpMatchSpec): RequestMatch {
  const path = spec.uri && pathMatch(spec.uri, spec.ignoreUriCase ?? false);
  const headers = headerMatches(spec.headers, false);
  const pseudo = pseudoMatches(spec.headers);
  const method = spec.method ?? pseudo[":method"];
  const scheme = spec.scheme ?? pseudo[":scheme"];
  const authority = spec.authority ?? pseudo[":authority"];
  const source = sourceMatch(spec);
  return {
    ...(path && { path }),
    ...(method && { method: textMatch(method) }),
    ...(scheme && { scheme: textMatch(scheme) }),
    ...(authority && { authority: textMatch(authority) }),
    headers: [...headers, ...headerMatches(spec.withoutHeaders, true)],
    queryParams: Object.entries(spec.queryParams ?? {}).map(
      ([name, match]): NamedMatch => ({ name, match: textMatch(match), invert: false }),
    ),
    ...(source && { source }),
  };
}

/** A `uri` without any field matches every path, for there always is one. */
function pathMatch(spec: StringMatchSpec, ignoreCase: boolean): PathMatch | undefined {
  const match = textMatch(spec, ignoreCase);
  return match.kind === "present" || match.kind === "suffix" ? undefined : match;
}

/** Names that the API says are not looked at here: they have fields of their own. */
const IGNORED = new Set(["uri", "scheme", "method", "authority"]);

function headerMatches(
  specs: Readonly<Record<string, StringMatchSpec>> | undefined,
  invert: boolean,
): readonly NamedMatch[] {
  return Object.entries(specs ?? {}).flatMap(([given, spec]): NamedMatch[] => {
    const name = given.toLowerCase();
    const hasField = !invert && [":method", ":scheme", ":authority"].includes(name);
    if (IGNORED.has(name) || hasField) return [];
    return [{ name, match: headerMatch(spec), invert }];
  });
}

/** `*` is no regular expression; Istio reads it as: there, whatever it is. */
function headerMatch(spec: StringMatchSpec): TextMatch {
  return spec.regex === "*" ? { kind: "present" } : textMatch(spec);
}

function pseudoMatches(
  specs: Readonly<Record<string, StringMatchSpec>> | undefined,
): Readonly<Record<string, StringMatchSpec>> {
  const found = Object.entries(specs ?? {}).filter(([name]) => name.startsWith(":"));
  return Object.fromEntries(found.map(([name, spec]) => [name.toLowerCase(), spec]));
}

function sourceMatch({
  sourceLabels,
  sourceNamespace,
}: Pick<HttpMatchSpec, "sourceLabels" | "sourceNamespace">): SourceMatch | undefined {
  const labels = sourceLabels && Object.keys(sourceLabels).length > 0 ? sourceLabels : undefined;
  if (labels === undefined && !sourceNamespace) return undefined;
  return { ...(sourceNamespace && { namespace: sourceNamespace }), ...(labels && { labels }) };
}

export function streamMatch(spec: StreamMatchSpec): TcpMatch {
  const source = sourceMatch(spec);
  return {
    destinationSubnets: spec.destinationSubnets ?? [],
    ...(source && { source }),
    sniHosts: (spec.sniHosts ?? []).map((host) => host.toLowerCase()),
  };
}

/**
 * What both match. None of the one: those of the other. Pairs that contradict each other match nothing and are left out;
 * undefined when no pair is left.
 */
export function narrowMatches(
  outer: readonly HttpMatchSpec[] | undefined,
  inner: readonly HttpMatchSpec[] | undefined,
): readonly HttpMatchSpec[] | undefined {
  if (outer === undefined || outer.length === 0) return inner ?? [];
  if (inner === undefined || inner.length === 0) return outer;
  const pairs = outer.flatMap((one) => inner.flatMap((other) => narrow(one, other) ?? []));
  return pairs.length === 0 ? undefined : pairs;
}

function narrow(outer: HttpMatchSpec, inner: HttpMatchSpec): HttpMatchSpec | undefined {
  const fields = ["uri", "scheme", "method", "authority"] as const;
  const lists = ["headers", "withoutHeaders", "queryParams"] as const;
  const agree =
    fields.every((name) => isWithin(outer[name], inner[name])) &&
    lists.every((name) => areWithin(outer[name], inner[name])) &&
    isSame(outer.port, inner.port) &&
    isSame(outer.sourceNamespace, inner.sourceNamespace) &&
    Object.entries(inner.sourceLabels ?? {}).every(([label, value]) =>
      isSame(outer.sourceLabels?.[label], value),
    );
  if (!agree) return undefined;
  const merged = lists.map((name) => [name, { ...outer[name], ...inner[name] }]);
  return {
    ...outer,
    ...inner,
    ...Object.fromEntries(merged),
    sourceLabels: { ...outer.sourceLabels, ...inner.sourceLabels },
    // A delegate has no gateways of its own.
    ...(outer.gateways && { gateways: outer.gateways }),
  };
}

function areWithin(
  outer: Readonly<Record<string, StringMatchSpec>> | undefined,
  inner: Readonly<Record<string, StringMatchSpec>> | undefined,
): boolean {
  return Object.entries(inner ?? {}).every(([name, spec]) => isWithin(outer?.[name], spec));
}

/** Whether all that `inner` matches is matched by `outer`. Of an expression, only itself is known to be. */
function isWithin(outer: StringMatchSpec | undefined, inner: StringMatchSpec | undefined): boolean {
  if (outer === undefined || inner === undefined) return true;
  const [wide, tight] = [textMatch(outer), textMatch(inner)];
  if (wide.kind === "present") return true;
  if (wide.kind === "regex") return tight.kind === "regex" && wide.pattern === tight.pattern;
  if (tight.kind === "regex" || tight.kind === "present") return false;
  if (wide.kind === "exact") return tight.kind === "exact" && tight.value === wide.value;
  return tight.value.startsWith(wide.value);
}

function isSame<T>(outer: T | undefined, inner: T | undefined): boolean {
  return outer === undefined || inner === undefined || outer === inner;
}
