/** Keeps every node's service table equal to the Services and EndpointSlices of the API. */

import type { EndpointSlice, Informer, Service } from "@meltemi/kubernetes";
import { backoffMs, type Clock, describeError, type Logger, type Timer } from "@meltemi/runtime";
import { runProgram } from "./run-program.ts";
import { frontends, renderRuleset } from "./services-ruleset.ts";

export interface ServiceProxyOptions {
  readonly nodes: readonly { readonly name: string; readonly namespace: string }[];
}

export interface ServiceProxyDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly services: Informer<Service>;
  readonly slices: Informer<EndpointSlice>;
  readonly random: () => number;
}

export interface ServiceProxy {
  stop(): void;
}

/** A rollout changes many slices at once: one table for all of them. */
const SETTLE_MS = 20;
const RETRY = { baseMs: 100, maxMs: 10_000, jitter: 0.2 } as const;

/** Starts when both informers have synced. A table that the kernel refuses is tried again, and the old one stays in force. */
export function startServiceProxy(
  options: ServiceProxyOptions,
  deps: ServiceProxyDependencies,
): ServiceProxy {
  const applied = new Map<string, string>();
  let timer: Timer | undefined;
  let running = false;
  let again = false;
  let failures = 0;
  let stopped = false;

  async function applyAll(): Promise<void> {
    for (const node of options.nodes) {
      const ruleset = renderRuleset(frontends(deps.services.list(), deps.slices.list(), node.name));
      if (applied.get(node.name) === ruleset) continue;
      await runProgram("ip", ["netns", "exec", node.namespace, "nft", "-f", "-"], { input: ruleset });
      applied.set(node.name, ruleset);
    }
  }

  async function run(): Promise<void> {
    timer = undefined;
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    try {
      await applyAll();
      failures = 0;
    } catch (error) {
      failures += 1;
      deps.log.error("service table refused", { error: describeError(error) });
    }
    running = false;
    if (failures > 0) schedule(backoffMs(RETRY, failures - 1, deps.random));
    else if (again) schedule(SETTLE_MS);
  }

  function schedule(delayMs: number): void {
    if (stopped || timer !== undefined || !deps.services.hasSynced || !deps.slices.hasSynced) return;
    timer = deps.clock.after(delayMs, () => void run());
  }

  const changed = (): void => {
    if (running) again = true;
    else schedule(SETTLE_MS);
  };
  const handlers = { add: changed, update: changed, delete: changed };
  const removers = [deps.services.onChange(handlers), deps.slices.onChange(handlers)];
  void Promise.all([deps.services.synced, deps.slices.synced]).then(() => schedule(0));
  return {
    stop() {
      stopped = true;
      timer?.cancel();
      for (const remove of removers) remove();
    },
  };
}
