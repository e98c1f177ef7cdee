/** One service gets an L7 proxy while it serves; the others never see it. */

import { isGood, ReviewsCaller } from "../reviews-caller.ts";
import { CLIENT, type Stage, UNMESHED } from "../stage.ts";
import { callPrograms } from "./calls.ts";

const WAYPOINT = "reviews-waypoint";
const DEADLINE_MS = 60_000;
/** A row of requests, a hundred a second. */
const ROW = { times: 20, pauseMs: 10 } as const;
const L4_REQUESTS = 20;

export async function applyWaypoint(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A waypoint for one service, applied live",
    "reviews (v1, v2, v3) gets an L7 proxy by one command, under traffic; nobody else does.",
  );
  using caller = new ReviewsCaller(stage);
  await stage.until("reviews to answer", DEADLINE_MS, async () => (await caller.ask())[0]?.status === 200);
  const before = await caller.ask(ROW);
  const pods = await podLives(stage);
  const traffic = new Promise<readonly (typeof before)[number][]>((resolve, reject) => {
    drive(stage, caller).then(resolve, reject);
  });
  traffic.catch(() => {});
  const startMs = stage.clock.monotonicMs();
  const applied = await stage.tried(
    `istioctl waypoint apply --namespace default --name ${WAYPOINT} --for service/reviews`,
    { timeoutMs: DEADLINE_MS },
  );
  const during = await traffic;
  const appliedMs = Math.round(stage.clock.monotonicMs() - startMs);
  const lost = during.filter((answer) => !isGood(answer)).length;
  const passed = during.filter(({ passedWaypoint }) => passedWaypoint).length;
  const same = (await podLives(stage)) === pods;
  stage.claim({
    claim: "one command puts a service behind a waypoint: no pod restarts and no request is lost",
    ok:
      applied.code === 0 &&
      before.every((each) => isGood(each) && !each.passedWaypoint) &&
      lost === 0 &&
      passed > 0 &&
      same,
    seen:
      applied.code === 0
        ? `ready and in use for every request ${appliedMs} ms after the command; ${during.length} requests meanwhile, ${lost} lost, the last ${passed} of them through the waypoint; same pods, no restart: ${same}`
        : applied.stderr.trim(),
    figures: { appliedMs, requests: during.length, lost, passed },
  });
}

/** Rows of requests until one passed the waypoint from its first to its last. */
async function drive(
  stage: Stage,
  caller: ReviewsCaller,
): Promise<Awaited<ReturnType<ReviewsCaller["ask"]>>> {
  const answers: Awaited<ReturnType<ReviewsCaller["ask"]>>[number][] = [];
  await stage.until("requests to pass the waypoint", DEADLINE_MS, async () => {
    const row = await caller.ask(ROW);
    answers.push(...row);
    return row.every(({ passedWaypoint }) => passedWaypoint);
  });
  return answers;
}

/** Which processes the pods of the programs are: a restart changes it. */
async function podLives(stage: Stage): Promise<string> {
  const path =
    "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{'\\n'}{end}";
  const programs = "!gateway.networking.k8s.io/gateway-name";
  return await stage.kubectl(["get", "pods", "-n", "default", "-l", programs, "-o", path]);
}

/** How many requests and connections of each service the waypoint has counted: the labels of its metrics say whose they were. */
async function waypointCounts(stage: Stage): Promise<{ readonly reviews: number; readonly others: number }> {
  const selector = `gateway.networking.k8s.io/gateway-name=${WAYPOINT}`;
  const path = "jsonpath={.items[0].status.podIP}";
  const podIp = await stage.kubectl(["get", "pods", "-n", "default", "-l", selector, "-o", path]);
  const page = await stage.inPod(UNMESHED, [
    "curl",
    "-sS",
    "-m",
    "5",
    `http://${podIp.trim()}:15020/stats/prometheus`,
  ]);
  const counts = { reviews: 0, others: 0 };
  for (const line of page.stdout.split("\n")) {
    if (!/^istio_(requests|tcp_connections_opened)_total\{/.test(line)) continue;
    const whose = line.includes('destination_service="reviews.default.svc.cluster.local"')
      ? "reviews"
      : "others";
    counts[whose] += Number(line.split(" ").at(-1));
  }
  return counts;
}

/** Packets to the waypoint's port 15008 would be there whatever they carried. */
export async function showL4Untouched(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Who did not ask for L7 pays nothing",
    "Bytes of nginx, Redis, PostgreSQL and gRPC never reach the waypoint.",
  );
  using caller = new ReviewsCaller(stage);
  const before = await waypointCounts(stage);
  const first = await connectionsToWaypoint(stage);
  const calls = await callPrograms(stage);
  const script = `for i in $(seq ${L4_REQUESTS}); do curl -sS -o /dev/null -m 5 http://web/ || echo failed; done`;
  const web = await stage.inPod(CLIENT, ["sh", "-c", script], { timeoutMs: 60_000 });
  const second = await connectionsToWaypoint(stage);
  const answers = await caller.ask({ times: L4_REQUESTS });
  let after = before;
  const isCounted = async (): Promise<boolean> => {
    after = await waypointCounts(stage);
    return after.reviews - before.reviews >= L4_REQUESTS;
  };
  await stage.until("the waypoint's counters to grow", DEADLINE_MS, isCounted);
  const reviews = after.reviews - before.reviews;
  const third = await connectionsToWaypoint(stage);
  stage.claim({
    claim: "services without a waypoint stay on the L4 path: their connections never reach it",
    ok:
      calls.every(({ ok }) => ok) &&
      web.stdout === "" &&
      answers.every((answer) => isGood(answer) && answer.passedWaypoint) &&
      after.others === 0 &&
      second === first &&
      third === second + L4_REQUESTS &&
      reviews === L4_REQUESTS,
    seen: `${L4_REQUESTS} requests to web and one call of each other program: ${second - first} of ztunnel's connections went to the waypoint; ${L4_REQUESTS} requests to reviews: ${third - second}. The waypoint's own counters grew by ${reviews} for reviews; for anybody else they stand at ${after.others}`,
    figures: {
      l4ToWaypoint: second - first,
      reviewsToWaypoint: third - second,
      waypointOthers: after.others,
    },
  });
}

/** As the client's ztunnels counted them. */
async function connectionsToWaypoint(stage: Stage): Promise<number> {
  const path = "jsonpath={range .items[*]}{.status.podIP}{'\\n'}{end}";
  const pods = await stage.kubectl(["get", "pods", "-n", "istio-system", "-l", "app=ztunnel", "-o", path]);
  let count = 0;
  for (const podIp of pods.trim().split("\n")) {
    const page = await stage.inPod(UNMESHED, ["curl", "-sS", "-m", "5", `http://${podIp}:15020/metrics`]);
    for (const line of page.stdout.split("\n"))
      if (
        line.startsWith("istio_tcp_connections_opened_total{") &&
        line.includes('reporter="source"') &&
        line.includes('source_workload="client"') &&
        line.includes(`destination_workload="${WAYPOINT}"`)
      )
        count += Number(line.split(" ").at(-1));
  }
  return count;
}
