/** The calls that the demo repeats before and after: the same programs, the same commands. */

import { medianOf } from "../claim.ts";
import { CLIENT, type Stage } from "../stage.ts";

/** What nginx answers: the text a wiretap would look for. */
export const PAYLOAD = "price-list: sails 42";

/** The servers' own ports: plaintext of the programs would use them. */
export const PROGRAM_PORTS: readonly number[] = [8080, 8081, 6379, 5432, 50051];

export interface CallResult {
  readonly program: string;
  readonly ok: boolean;
  readonly answer: string;
}

/** One call to each program from the client pod. */
export async function callPrograms(stage: Stage): Promise<readonly CallResult[]> {
  const calls: readonly { program: string; argv: readonly string[]; want: string }[] = [
    { program: "curl → nginx", argv: ["curl", "-sS", "-m", "5", "http://web/"], want: PAYLOAD },
    {
      program: "redis-cli → Redis",
      argv: ["redis-cli", "-h", "redis", "set", "wind", "meltemi"],
      want: "OK",
    },
    {
      program: "psql → PostgreSQL",
      argv: ["psql", "-h", "postgres", "-U", "postgres", "-Atc", "select 6*7"],
      want: "42",
    },
  ];
  const results: CallResult[] = [];
  for (const call of calls) {
    const result = await stage.inPod(CLIENT, call.argv, { timeoutMs: 15_000 });
    const answer = (result.stdout + result.stderr).trim();
    results.push({ program: call.program, ok: result.code === 0 && answer.includes(call.want), answer });
  }
  results.push(await callEcho(stage));
  return results;
}

async function callEcho(stage: Stage): Promise<CallResult> {
  const { projectRoot } = stage.options;
  const result = await stage.inPod(
    CLIENT,
    [
      `${projectRoot}/node_modules/.bin/node`,
      `${projectRoot}/examples/demo/grpc-echo/main.ts`,
      "say",
      "echo:50051",
      "kalimera",
    ],
    { timeoutMs: 20_000 },
  );
  const answer = (result.stdout + result.stderr).trim();
  return { program: "gRPC client → server", ok: result.code === 0 && answer === "kalimera", answer };
}

export function describeCalls(results: readonly CallResult[]): string {
  return results
    .map((each) => `${each.program}: ${each.ok ? "ok" : `FAILED (${each.answer.slice(0, 120)})`}`)
    .join(", ");
}

/** Round trips of new connections, in milliseconds, as curl measured them. */
export async function timeRequests(
  stage: Stage,
  count: number,
): Promise<{ readonly medianMs: number; readonly failed: number }> {
  const script = `i=0; while [ $i -lt ${count} ]; do curl -sS -o /dev/null -m 5 -w '%{http_code} %{time_total}\\n' http://web/ || echo failed; i=$((i+1)); done`;
  const result = await stage.inPod(CLIENT, ["sh", "-c", script], { timeoutMs: 60_000 });
  const lines = result.stdout.trim().split("\n");
  const good = lines.filter((line) => line.startsWith("200 "));
  const medianMs = medianOf(good.map((line) => Number(line.slice(4)) * 1000));
  return { medianMs: Math.round(medianMs * 100) / 100, failed: count - good.length };
}
