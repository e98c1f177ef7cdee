/** The command line of Istio's proxy image: `proxy waypoint --domain … --serviceCluster … …` (reference: l7-and-cli §1.7). Pure. */

export interface WaypointArguments {
  /** DNS domain of the pod: `<namespace>.svc.<cluster domain>`. */
  readonly domain: string | undefined;
  /** Level as Envoy names it, or as we do. */
  readonly proxyLogLevel: string | undefined;
  /** `scope:level`, comma separated; `default` is every scope. */
  readonly logOutputLevel: string | undefined;
}

export type ArgumentsOutcome =
  | { readonly kind: "ok"; readonly value: WaypointArguments }
  | { readonly kind: "bad"; readonly why: string };

/** All that Istio passes; the ones that name nothing of ours are taken and have no effect. */
const FLAGS: ReadonlySet<string> = new Set([
  "--domain",
  "--serviceCluster",
  "--proxyLogLevel",
  "--proxyComponentLogLevel",
  "--log_output_level",
  "--concurrency",
  "--stsPort",
  "--trust-domain",
]);

export function parseArguments(words: readonly string[]): ArgumentsOutcome {
  const [proxy, role, ...flags] = words;
  if (proxy !== "proxy" || role !== "waypoint")
    return { kind: "bad", why: `unknown arguments ${JSON.stringify(words)}: expected proxy waypoint` };
  const values = new Map<string, string>();
  for (let at = 0; at < flags.length; at++) {
    const word = flags[at] ?? "";
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (!FLAGS.has(name))
      return {
        kind: "bad",
        why: `unknown flag ${JSON.stringify(word)}: expected one of ${[...FLAGS].join(", ")}`,
      };
    const value = equals < 0 ? flags[++at] : word.slice(equals + 1);
    if (value === undefined) return { kind: "bad", why: `flag ${name}: expected a value` };
    values.set(name, value);
  }
  return {
    kind: "ok",
    value: {
      domain: values.get("--domain"),
      proxyLogLevel: values.get("--proxyLogLevel"),
      logOutputLevel: values.get("--log_output_level"),
    },
  };
}

const LEVEL_OF_ENVOY: Readonly<Record<string, string>> = { warning: "warn", critical: "error", none: "off" };

/** As a filter of ours: `info,xds=debug`. */
export function logFilterOf({ logOutputLevel, proxyLogLevel }: WaypointArguments): string | undefined {
  if (logOutputLevel === undefined) return proxyLogLevel && nameLevel(proxyLogLevel);
  return logOutputLevel
    .split(",")
    .map((clause) => {
      const [scope = "", level = ""] = clause.split(":");
      return scope === "default" ? nameLevel(level) : `${scope}=${nameLevel(level)}`;
    })
    .join(",");
}

function nameLevel(level: string): string {
  return (Object.hasOwn(LEVEL_OF_ENVOY, level) ? LEVEL_OF_ENVOY[level] : undefined) ?? level;
}
