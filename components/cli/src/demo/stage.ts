/** The stage the demo plays on: the cluster's kubectl, programs inside pods, and waiting for a condition. */

import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Claim } from "./claim.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts";
import type { Narrator } from "./narrator.ts";

/** A pod by `namespace` and `deploy/<name>`, as kubectl takes it. */
export interface Target {
  readonly namespace: string;
  readonly deployment: string;
}

export const CLIENT: Target = { namespace: "shop", deployment: "client" };
export const STRANGER: Target = { namespace: "shop", deployment: "stranger" };
export const UNMESHED: Target = { namespace: "outside", deployment: "unmeshed" };

export interface StageOptions {
  readonly projectRoot: string;
  /** Environment with KUBECONFIG and with `istioctl` in PATH. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Network namespace and interface through which all traffic between the nodes passes. */
  readonly link: { readonly namespace: string; readonly interface: string };
  /** Where what crosses the link is written: it goes with the cluster, also when nobody comes to remove it. */
  readonly captureFile: string;
}

/** How often a condition is looked at while the demo waits for it. */
const LOOK_EVERY_MS = 100;

export class Stage {
  readonly claims: Claim[] = [];
  readonly options: StageOptions;
  readonly narrator: Narrator;
  readonly clock: Clock;
  readonly signal: AbortSignal;

  constructor(
    options: StageOptions,
    deps: { readonly narrator: Narrator; readonly clock: Clock; readonly signal: AbortSignal },
  ) {
    this.options = options;
    this.narrator = deps.narrator;
    this.clock = deps.clock;
    this.signal = deps.signal;
  }

  /** Throws after an interruption: what it cut short has shown nothing. */
  claim(claim: Claim): void {
    this.signal.throwIfAborted();
    this.claims.push(claim);
    this.narrator.claim(claim);
  }

  /** A figure of an earlier claim; undefined when that was not measured. */
  figure(name: string): number | undefined {
    const values = this.claims.map((claim) => claim.figures?.[name]);
    return values.filter((value) => typeof value === "number").at(-1);
  }

  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand(argv, { env: this.options.env, signal: this.signal, ...options });
  }

  /** Runs kubectl; throws with kubectl's own words when it fails. */
  async kubectl(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const result = await this.run(["kubectl", ...args], options);
    if (result.code !== 0) {
      throw new MeshError(
        "UNAVAILABLE",
        `kubectl ${args.join(" ")}: exit ${result.code}: ${result.stderr.trim()}`,
      );
    }
    return result.stdout;
  }

  /** As {@link kubectl}, and shows the command, because the user could type it. */
  shown(args: readonly string[]): Promise<string> {
    this.narrator.command(`kubectl ${args.join(" ")}`);
    return this.kubectl(args);
  }

  /** A program inside a pod; its failure is a result, because refusals are what the demo shows. */
  inPod(target: Target, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.run(
      ["kubectl", "exec", "-n", target.namespace, `deploy/${target.deployment}`, "--", ...argv],
      options,
    );
  }

  /** The only pod of a deployment of `shop` that has been deployed once. */
  async podAddress(app: string): Promise<string> {
    const path = "jsonpath={.items[0].status.podIP}";
    return (await this.kubectl(["get", "pods", "-n", "shop", "-l", `app=${app}`, "-o", path])).trim();
  }

  example(name: string): string {
    return `${this.options.projectRoot}/examples/demo/${name}`;
  }

  /** Milliseconds until `condition` held; throws TIMEOUT when it did not within `deadlineMs`. */
  async until(what: string, deadlineMs: number, condition: () => Promise<boolean>): Promise<number> {
    const start = this.clock.monotonicMs();
    for (;;) {
      if (await condition()) return this.clock.monotonicMs() - start;
      if (this.clock.monotonicMs() - start > deadlineMs)
        throw new MeshError("TIMEOUT", `wait for ${what}: not within ${deadlineMs} ms`);
      await delay(this.clock, LOOK_EVERY_MS, this.signal);
    }
  }
}
