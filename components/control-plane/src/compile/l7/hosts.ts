/** Names of hosts in routing kinds: short names, wildcards, who may see them. Pure. */

/** A name without a dot is of a Service in the namespace; others stand as they are. */
export function fullHost(host: string, namespace: string, clusterDomain: string): string {
  return host.includes(".") || host === "*"
    ? host.toLowerCase()
    : `${host}.${namespace}.svc.${clusterDomain}`;
}

/** The name itself and every pattern that takes it in, the narrowest first: `a.b`, `*.b`, `*`. */
export function hostPatterns(hostname: string): readonly string[] {
  const labels = hostname.replace(/^\*\./, "").split(".");
  const from = hostname.startsWith("*.") ? 0 : 1;
  const wildcards = labels.slice(from).map((_, index) => `*.${labels.slice(from + index).join(".")}`);
  return [...new Set([hostname, ...wildcards, "*"])];
}

/** `exportTo` of an object in `namespace`, for who looks from one of `viewers`. Not given: everybody. */
export function isVisible(
  exportTo: readonly string[] | undefined,
  namespace: string,
  viewers: readonly string[],
): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((to) => to === "*" || viewers.includes(to === "." ? namespace : to));
}

/** Oldest first; names settle what was made in the same second. */
export function byAge(
  a: { readonly createdMs: number; readonly namespace: string; readonly name: string },
  b: { readonly createdMs: number; readonly namespace: string; readonly name: string },
): number {
  if (a.createdMs !== b.createdMs) return a.createdMs - b.createdMs;
  return compareText(`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`);
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
