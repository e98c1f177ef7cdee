/** The stage the demo plays on: the cluster's kubectl, programs inside pods, and waiting for a condition. */

import { type Clock, delay, MeshError } from "@meltemi/runtime";
import type { Claim, TypedCommand } from "./claim.ts";
import { type CommandOptions, type CommandResult, runCommand } from "./command.ts";
import type { Narrator } from "./narrator.ts";

/** A pod by `namespace` and `deploy/<name>`, as kubectl takes it. */
export interface Target {
  readonly namespace: string;
  readonly deployment: string;
}

export const CLIENT: Target = { namespace: "default", deployment: "client" };
export const STRANGER: Target = { namespace: "default", deployment: "stranger" };
export const STAGING: Target = { namespace: "staging", deployment: "client" };
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
  #typed: TypedCommand[] = [];
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
    const told = this.#typed.length === 0 ? claim : { ...claim, commands: this.#typed };
    this.#typed = [];
    this.claims.push(told);
    this.narrator.claim(told);
  }

  /** A figure of an earlier claim; undefined when that was not measured. */
  figure(name: string): number | undefined {
    const values = this.claims.map((claim) => claim.figures?.[name]);
    return values.filter((value) => typeof value === "number").at(-1);
  }

  run(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { env, projectRoot: cwd } = this.options;
    return runCommand(argv, { env, cwd, signal: this.signal, ...options });
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

  /** Shows a line and lets a shell run it in the project's folder, as anybody could type it. Throws with its own words when it fails. */
  async typed(line: string, options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.tried(line, options);
    if (code !== 0) throw new MeshError("UNAVAILABLE", `${line}: exit ${code}: ${stderr.trim()}`);
    return stdout;
  }

  /** As {@link typed}; its failure is a result. */
  async tried(line: string, options: CommandOptions = {}): Promise<CommandResult> {
    this.narrator.command(line);
    const result = await this.run(["/bin/sh", "-c", line], options);
    this.#typed.push({ line, exitCode: result.code });
    return result;
  }

  /** A program inside a pod; its failure is a result, because refusals are what the demo shows. */
  inPod(target: Target, argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.run(
      ["kubectl", "exec", "-n", target.namespace, `deploy/${target.deployment}`, "--", ...argv],
      options,
    );
  }

  /** The only pod of a deployment of `default` that has been deployed once. */
  async podAddress(app: string): Promise<string> {
    const path = "jsonpath={.items[0].status.podIP}";
    return (await this.kubectl(["get", "pods", "-n", "default", "-l", `app=${app}`, "-o", path])).trim();
  }

  /** Seen from the project's folder, where commands run. */
  example(name: string): string {
    return `examples/demo/${name}`;
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
