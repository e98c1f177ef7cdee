/** What a request's path names (Kubernetes API conventions): one object, a collection, or something of the server itself. */

export type Target =
  | {
      readonly kind: "resource";
      readonly group: string;
      readonly version: string;
      readonly plural: string;
      /** Undefined for cluster-wide requests. */
      readonly namespace: string | undefined;
      readonly name: string | undefined;
      readonly subresource: string | undefined;
    }
  | { readonly kind: "server"; readonly path: string };

/** Longer paths than `/apis/<group>/<version>/namespaces/<ns>/<plural>/<name>/<subresource>` name nothing. */
const MAX_SEGMENTS = 8;
const MAX_PATH_LENGTH = 2048;

/** Undefined when the path is malformed (bad escapes, empty segments): nothing is there. */
export function parseTarget(path: string): Target | undefined {
  if (path.length > MAX_PATH_LENGTH) return undefined;
  const segments = decodeSegments(path);
  if (segments === undefined) return undefined;
  const [root, ...rest] = segments;
  if (root === "api" && rest.length >= 2) return resourceTarget("", rest[0] ?? "", rest.slice(1));
  if (root === "apis" && rest.length >= 3) return resourceTarget(rest[0] ?? "", rest[1] ?? "", rest.slice(2));
  return { kind: "server", path: `/${segments.join("/")}` };
}

function decodeSegments(path: string): string[] | undefined {
  const raw = path.replace(/^\//, "").replace(/\/$/, "").split("/");
  if (raw.length > MAX_SEGMENTS || (raw.length > 1 && raw.includes(""))) return undefined;
  try {
    return raw.map((segment) => decodeURIComponent(segment));
  } catch {
    // A lone `%` is no escape.
    return undefined;
  }
}

function resourceTarget(group: string, version: string, rest: readonly string[]): Target | undefined {
  const [first = "", second, third, fourth, fifth] = rest;
  const base = { kind: "resource", group, version } as const;
  // `namespaces/x` and its subresources are the Namespace itself, `namespaces/x/pods` is what lies in it.
  const inNamespace =
    first === "namespaces" && third !== undefined && third !== "status" && third !== "finalize";
  if (!inNamespace) {
    if (rest.length > 3) return undefined;
    return { ...base, plural: first, namespace: undefined, name: second, subresource: third };
  }
  if (rest.length > 5 || second === undefined) return undefined;
  return { ...base, plural: third, namespace: second, name: fourth, subresource: fifth };
}
