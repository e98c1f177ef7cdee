/** Keys of `when` (reference: l7-and-cli §2.1, complete list). */

const PLAIN_KEYS: ReadonlySet<string> = new Set([
  "source.ip",
  "remote.ip",
  "source.namespace",
  "source.serviceAccount",
  "source.trustDomain",
  "source.principal",
  "request.auth.principal",
  "request.auth.audiences",
  "request.auth.presenter",
  "destination.ip",
  "destination.port",
  "connection.sni",
]);

/** `request.headers[x]`, `request.auth.claims[a][b]`, `experimental.envoy.filters.f[k]`. */
const INDEXED_KEYS: readonly RegExp[] = [
  /^request\.headers\[[^[\]]+\]$/,
  /^request\.auth\.claims(?:\[[^[\]]+\])+$/,
  /^experimental\.envoy\.filters\.[^[\]]+\[[^[\]]+\]$/,
];

export function isConditionKey(key: string): boolean {
  return PLAIN_KEYS.has(key) || INDEXED_KEYS.some((pattern) => pattern.test(key));
}
