/** Calls from pods: one program in a pod makes them all, so that none waits for a `kubectl exec` of its own. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type {
  Answer,
  Answers,
  BytesCall,
  Call,
  GrpcCall,
  HttpCall,
  TunnelCall,
  WebSocketCall,
} from "../../examples/echo/client/call.ts";
import type { Report } from "../../examples/echo/server/report.ts";
import { ECHO, environment } from "./l7-cluster.fixture.ts";

export type { Answer, HttpCall, Report };
export type AnyCall = (HttpCall | GrpcCall | WebSocketCall | BytesCall | TunnelCall) & {
  readonly timeoutMs?: number;
};

/** Makes calls from a pod, given as `namespace` and `deploy/client`. */
export class Caller implements Disposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (answers: readonly Answer[]) => void>();
  #complaint = "";
  #ended = false;
  #calls = 0;

  constructor(namespace: string, target: string) {
    const words = ["exec", "-i", "-n", namespace, target, "--", ...ECHO, "call"];
    this.#child = spawn("kubectl", words, { env: environment, stdio: ["pipe", "pipe", "pipe"] });
    if (this.#child.stdout !== null)
      createInterface(this.#child.stdout).on("line", (line) => {
        const { id, answers } = JSON.parse(line) as Answers;
        this.#waiting.get(id)?.(answers);
        this.#waiting.delete(id);
      });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint += text;
    });
    this.#child.stdin?.on("error", () => {});
    this.#child.once("close", () => this.#end());
  }

  /** The answers of all `times`; fails when the program in the pod ended. */
  async all(call: AnyCall): Promise<readonly Answer[]> {
    const id = ++this.#calls;
    const answers = await new Promise<readonly Answer[] | undefined>((resolve) => {
      if (this.#ended) return resolve(undefined);
      this.#waiting.set(id, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ ...call, id } satisfies Call)}\n`);
    });
    assert.ok(answers !== undefined && answers.length > 0, `the calling program ended: ${this.#complaint}`);
    return answers;
  }

  async one(call: AnyCall): Promise<Answer> {
    const [answer] = await this.all(call);
    assert.ok(answer !== undefined);
    return answer;
  }

  #end(): void {
    this.#ended = true;
    for (const answer of this.#waiting.values()) answer([]);
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** What the server says that it received; undefined when somebody else answered. */
export function reportOf(answer: Answer): Report | undefined {
  const text = answer.body.split("\n")[0] ?? "";
  return text.startsWith('{"pod"') ? (JSON.parse(text) as Report) : undefined;
}

/** Whether a proxy that reads HTTP stood on the way. */
export const passedL7 = (answer: Answer): boolean => reportOf(answer)?.headers["x-request-id"] !== undefined;

/** How many of these answers came from each version, pod, …; `-` where nobody of ours answered. */
export function tally(answers: readonly Answer[], by: "version" | "pod" = "version"): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) {
    const key = reportOf(answer)?.[by] ?? "-";
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
