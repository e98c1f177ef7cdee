/** Servers that fail or die behind a waypoint, and callers that do not notice. */

import { type Answer, countBy, isGood, ReviewsCaller } from "../reviews-caller.ts";
import { CLIENT, type Stage } from "../stage.ts";

const DEADLINE_MS = 20_000;
/** So many are under way, on all versions, when a server dies. */
const REQUESTS_AT_ONCE = 30;
const WORK_MS = 1500;
/** All of them have been sent, none is answered. */
const CRASH_AFTER_MS = 300;
/** Rows of requests that must all be good before a version counts as ejected. */
const ROW = { times: 15 } as const;
const ROWS_WITHOUT_FAILURE = 2;

export async function showRetries(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A crash that nobody notices",
    `${REQUESTS_AT_ONCE} requests are under way when a server dies: first without retries, then with them.`,
  );
  using caller = new ReviewsCaller(stage);
  const without = await crashUnder(stage, caller, "no-retries.yaml", "v2");
  const withRetries = await crashUnder(stage, caller, "retries.yaml", "v3");
  await stage.kubectl(["delete", "-f", stage.example("retries.yaml")]);
  const restarts = await restartCounts(stage);
  stage.claim({
    claim: "retries hide a crashed server: not one request fails",
    ok: without.some((answer) => !isGood(answer)) && withRetries.every(isGood) && restarts === "v2: 1, v3: 1",
    seen: `without retries, by status: ${countBy(without, ({ status }) => status)}; with retries: ${countBy(withRetries, ({ status }) => status)}; restarts of the servers: ${restarts}`,
    figures: {
      failedWithout: without.filter((answer) => !isGood(answer)).length,
      failedWith: withRetries.filter((answer) => !isGood(answer)).length,
    },
  });
}

async function crashUnder(
  stage: Stage,
  caller: ReviewsCaller,
  manifest: string,
  victim: string,
): Promise<readonly Answer[]> {
  await stage.typed(`kubectl apply -f ${stage.example(manifest)}`);
  const [version = "", podIp = ""] = [victim, await podAddressOf(stage, victim)];
  await untilServing(stage, caller, ["v1", "v2", "v3"]);
  stage.narrator.command(
    `kubectl exec -n default deploy/client -- curl -H 'x-echo: crash' http://${podIp}:8080/   # reviews-${version} dies`,
  );
  const answers = caller.ask({
    times: REQUESTS_AT_ONCE,
    together: true,
    headers: { "x-echo": `delay=${WORK_MS}` },
  });
  answers.catch(() => {});
  const script = `sleep ${CRASH_AFTER_MS / 1000}; curl -sS -m 5 -H 'x-echo: crash' http://${podIp}:8080/`;
  await stage.inPod(CLIENT, ["sh", "-c", script]);
  return await answers;
}

async function podAddressOf(stage: Stage, version: string): Promise<string> {
  const selector = `app=reviews,version=${version}`;
  const path = "jsonpath={.items[0].status.podIP}";
  return (await stage.kubectl(["get", "pods", "-n", "default", "-l", selector, "-o", path])).trim();
}

/** Until every one of these versions has answered, and nobody has failed. */
async function untilServing(stage: Stage, caller: ReviewsCaller, versions: readonly string[]): Promise<void> {
  await stage.until(`${versions.join(", ")} to serve`, DEADLINE_MS, async () => {
    const answers = await caller.ask({ times: 30 });
    const seen = new Set(answers.filter(isGood).map(({ version }) => version));
    return answers.every(isGood) && versions.every((version) => seen.has(version));
  });
}

async function restartCounts(stage: Stage): Promise<string> {
  const path =
    "jsonpath={range .items[*]}{.metadata.labels.version}: {.status.containerStatuses[0].restartCount}{'\\n'}{end}";
  let counts: readonly string[] = [];
  await stage.until("the servers to be restarted", DEADLINE_MS, async () => {
    const text = await stage.kubectl(["get", "pods", "-n", "default", "-l", "app=reviews", "-o", path]);
    counts = text
      .trim()
      .split("\n")
      .filter((line) => !line.endsWith(": 0"))
      .sort();
    return counts.length === 2;
  });
  return counts.join(", ");
}

export async function showOutlierDetection(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A failing version is ejected, and comes back when it is well",
    "Version 3 answers everything with 500 from now on; its callers should not see that for long.",
  );
  using caller = new ReviewsCaller(stage);
  await stage.typed(`kubectl apply -f ${stage.example("outliers.yaml")}`);
  await untilServing(stage, caller, ["v1", "v2", "v3"]);
  await tellVersion3(stage, "status=500");
  const { rows, good } = await untilEjected(stage, caller);
  const failed = rows.filter((answer) => !isGood(answer)).length;
  await tellVersion3(stage, "");
  let sent = 0;
  const recoveredMs = await stage.until("version 3 to be back", DEADLINE_MS, async () => {
    const row = await caller.ask(ROW);
    sent += row.length;
    return row.every(isGood) && row.some(({ version }) => version === "v3");
  });
  stage.claim({
    claim:
      "outlier detection ejects a failing version after a few failures, and takes it back when it is well",
    ok: failed > 0 && good.every((answer) => isGood(answer) && answer.version !== "v3"),
    seen: `${failed} of ${rows.length} requests failed before v3 was ejected; then ${good.length} in a row were good, by version: ${countBy(good, ({ version }) => version)}; healed, v3 served again after ${Math.round(recoveredMs)} ms`,
    figures: { failed, goodInARow: good.length, recoveredMs: Math.round(recoveredMs), sent },
  });
  await stage.kubectl(["delete", "-f", stage.example("outliers.yaml")]);
}

/** What its server does from now on when a request asks nothing. */
async function tellVersion3(stage: Stage, words: string): Promise<void> {
  const argv = ["curl", "-sS", "-m", "5", "-d", words, "http://127.0.0.1:8080/echo/default"];
  const typed = argv.map((word) => (word === "" ? "''" : word)).join(" ");
  stage.narrator.command(`kubectl exec -n default deploy/reviews-v3 -- ${typed}`);
  await stage.inPod({ namespace: "default", deployment: "reviews-v3" }, argv);
}

/** Rows of requests until enough of them in a row were all good: those, and the ones before. */
async function untilEjected(
  stage: Stage,
  caller: ReviewsCaller,
): Promise<{ readonly rows: readonly Answer[]; readonly good: readonly Answer[] }> {
  const rows: Answer[] = [];
  let good: Answer[] = [];
  await stage.until("version 3 to be ejected", DEADLINE_MS, async () => {
    const row = await caller.ask(ROW);
    if (row.every(isGood) && rows.some((answer) => !isGood(answer))) good.push(...row);
    else {
      rows.push(...good, ...row);
      good = [];
    }
    return good.length >= ROWS_WITHOUT_FAILURE * ROW.times;
  });
  return { rows, good };
}
