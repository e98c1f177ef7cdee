/**
 * How often what filters ask let pass, refused, or did not answer; under the names of Envoy's stats, where the label that says whose
 * it is names the provider or policy in place of Envoy's cluster.
 */

import type { Counter, Family, Registry } from "@meltemi/telemetry";

/** Of one that is asked over the network. */
export interface AskedCounters {
  readonly ok: Counter;
  readonly denied: Counter;
  readonly error: Counter;
  /** Errors that let pass, because the configuration says so. */
  readonly failureModeAllowed: Counter;
}

export interface LocalLimitCounters {
  readonly ok: Counter;
  readonly rateLimited: Counter;
}

/** Nobody judged what should have been judged, and it went on. */
export interface UnjudgedPass {
  readonly filter: "ext_authz" | "ratelimit";
  /** Of the provider, or the domain of the rate limit service. */
  readonly name: string;
  readonly why: string;
}

export interface FilterMeterDeps {
  readonly registry: Registry;
  /** For the log; called for each of them. */
  readonly onUnjudgedPass: (pass: UnjudgedPass) => void;
}

type AskedFamilies = Readonly<Record<keyof AskedCounters, Family<string, Counter>>>;

/** One for the process. */
export class FilterMeter {
  readonly onUnjudgedPass: FilterMeterDeps["onUnjudgedPass"];
  readonly #authorizers: Readonly<Record<"http" | "tcp", AskedFamilies>>;
  readonly #globalLimits: AskedFamilies;
  readonly #localLimits: Readonly<Record<keyof LocalLimitCounters, Family<string, Counter>>>;

  constructor({ registry, onUnjudgedPass }: FilterMeterDeps) {
    this.onUnjudgedPass = onUnjudgedPass;
    const define = (name: string, help: string): Family<string, Counter> =>
      registry.counter({
        name,
        help,
        labels: [name.includes("ext_authz") ? PROVIDER : POLICY],
        isForeignName: true,
      });
    const asked = (prefix: string, denied: string, who: string): AskedFamilies => ({
      ok: define(`${prefix}_ok`, `What ${who} let pass`),
      denied: define(`${prefix}_${denied}`, `What ${who} refused`),
      error: define(`${prefix}_error`, `What ${who} gave no answer to`),
      failureModeAllowed: define(
        `${prefix}_failure_mode_allowed`,
        `What ${who} gave no answer to and failOpen let pass`,
      ),
    });
    this.#authorizers = {
      http: asked("envoy_http_ext_authz", "denied", "external authorizers of requests"),
      tcp: asked("envoy_ext_authz_tcp", "denied", "external authorizers of connections"),
    };
    this.#globalLimits = asked("envoy_cluster_ratelimit", "over_limit", "rate limit services");
    this.#localLimits = {
      ok: define("envoy_http_local_rate_limit_ok", "Requests within a local limit"),
      rateLimited: define("envoy_http_local_rate_limit_rate_limited", "Requests refused by a local limit"),
    };
  }

  authorizer(layer: "http" | "tcp", provider: string): AskedCounters {
    return cells(this.#authorizers[layer], { [PROVIDER]: provider });
  }

  /** `policy`: `namespace/name`. */
  globalLimit(policy: string): AskedCounters {
    return cells(this.#globalLimits, { [POLICY]: policy });
  }

  localLimit(policy: string): LocalLimitCounters {
    const { ok, rateLimited } = this.#localLimits;
    return { ok: ok.labels({ [POLICY]: policy }), rateLimited: rateLimited.labels({ [POLICY]: policy }) };
  }
}

const PROVIDER = "provider";
const POLICY = "rate_limit_policy";

function cells(families: AskedFamilies, labels: Readonly<Record<string, string>>): AskedCounters {
  const { ok, denied, error, failureModeAllowed } = families;
  return {
    ok: ok.labels(labels),
    denied: denied.labels(labels),
    error: error.labels(labels),
    failureModeAllowed: failureModeAllowed.labels(labels),
  };
}
