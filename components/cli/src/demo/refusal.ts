/** A call, what came of it, and the proof that a policy and nothing else refused it. */

import { MeshError } from "@meltemi/runtime";
import type { Stage, Target } from "./stage.ts";
import { PAYLOAD } from "./steps/calls.ts";

export type Outcome =
  | { readonly kind: "reached" }
  /** The connection was made and then cut: curl's exit code 52 (empty reply) or 56 (reset). */
  | { readonly kind: "cut"; readonly exitCode: number }
  /** Neither: no such name, no answer in time, kubectl failed. It proves nothing about a policy. */
  | { readonly kind: "failed"; readonly why: string };

const WEB = "http://web.default/";
const REFUSED_DEADLINE_MS = 15_000;
/** Without fractions of milliseconds and zone: the log has UTC, as this does. */
const TIMESTAMP_CHARACTERS = "2026-01-31T12:00:00.000".length;

export async function callWeb(stage: Stage, from: Target, url: string = WEB): Promise<Outcome> {
  const argv = ["curl", "-sS", "-m", "3", url];
  const { code, stdout, stderr } = await stage.inPod(from, argv, { timeoutMs: 10_000 });
  if (code === 0 && stdout.includes(PAYLOAD)) return { kind: "reached" };
  // curl's own words too: an exit code alone could be kubectl's.
  const cut = /curl: \((52|56)\)/.exec(stderr)?.[1];
  if (cut !== undefined && Number(cut) === code) return { kind: "cut", exitCode: code };
  return { kind: "failed", why: `exit ${code}: ${(stderr || stdout).trim().slice(0, 160)}` };
}

export function describeOutcome(outcome: Outcome): string {
  if (outcome.kind === "cut") return `cut (curl exit ${outcome.exitCode})`;
  return outcome.kind === "reached" ? "reached" : `FAILED (${outcome.why})`;
}

export interface Refusal {
  /** From the call of {@link untilRefused}. */
  readonly afterMs: number;
  readonly exitCode: number;
  /** What the access log says. */
  readonly reason: string;
}

export interface Expected {
  readonly from: Target;
  readonly url?: string;
  /** The words of ztunnel's access log, which name the policy. */
  readonly reason: string;
  /** The port of the program that was called. */
  readonly port: number;
}

/**
 * Waits until the call is cut, and until the access log of the server's side names the policy as the reason. A call that was cut
 * for another reason is made again.
 */
export async function untilRefused(stage: Stage, expected: Expected): Promise<Refusal> {
  // Older refusals are in the log too.
  const since = new Date(stage.clock.nowMs()).toISOString().slice(0, TIMESTAMP_CHARACTERS);
  const startMs = stage.clock.monotonicMs();
  const elapsedMs = (): number => stage.clock.monotonicMs() - startMs;
  let last: Outcome = { kind: "reached" };
  let firstCutMs: number | undefined;
  await stage.until(`the access log to say "${expected.reason}"`, 2 * REFUSED_DEADLINE_MS, async () => {
    last = await callWeb(stage, expected.from, expected.url);
    if (last.kind === "cut") firstCutMs ??= elapsedMs();
    else if (elapsedMs() > REFUSED_DEADLINE_MS)
      throw new MeshError("TIMEOUT", `the call is not refused: ${describeOutcome(last)}`);
    if (last.kind !== "cut") return false;
    return (await accessLog(stage)).some(
      (line) => line.slice(0, since.length) >= since && shows(line, expected),
    );
  });
  const afterMs = Math.round(firstCutMs ?? elapsedMs());
  return { afterMs, exitCode: exitCodeOf(last), reason: expected.reason };
}

function exitCodeOf(outcome: Outcome): number {
  return outcome.kind === "cut" ? outcome.exitCode : 0;
}

function shows(line: string, { from, reason, port }: Expected): boolean {
  return (
    line.includes('direction="inbound"') &&
    line.includes(`error="${reason}"`) &&
    line.includes(`src.workload="${from.deployment}-`) &&
    new RegExp(`dst\\.(hbone_)?addr=\\S*:${port}\\b`).test(line)
  );
}

/** The last lines of every ztunnel. */
export async function accessLog(stage: Stage): Promise<readonly string[]> {
  const args = ["logs", "-n", "istio-system", "-l", "app=ztunnel", "--tail=400"];
  return (await stage.kubectl(args)).split("\n");
}
