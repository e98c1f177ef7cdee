/** A waypoint is deployed by a command or a file, and has no traffic until somebody asks for it. */

import { CLIENT, STAGING, type Stage, type Target } from "../stage.ts";

const DEADLINE_MS = 60_000;
const USE = "istio.io/use-waypoint";
/** Each call is a new connection: what the label says now counts. */
const CALLS = 10;

/** How many of {@link CALLS} were answered, and how many of those passed a proxy that reads HTTP: it gives each a number. */
async function passes(
  stage: Stage,
  from: Target,
  url: string,
): Promise<{ readonly answered: number; readonly passed: number }> {
  const script = `for i in $(seq ${CALLS}); do curl -sS -m 5 ${url}; echo; done`;
  const { stdout } = await stage.inPod(from, ["sh", "-c", script]);
  const answers = stdout.split("\n").filter((line) => line.startsWith('{"pod"'));
  return {
    answered: answers.length,
    passed: answers.filter((line) => line.includes('"x-request-id"')).length,
  };
}

async function untilPassing(stage: Stage, from: Target, url: string): Promise<number> {
  return Math.round(
    await stage.until(`requests to ${url} to pass the waypoint`, DEADLINE_MS, async () => {
      const { answered, passed } = await passes(stage, from, url);
      return answered === CALLS && passed === CALLS;
    }),
  );
}

async function untilProgrammed(stage: Stage, namespace: string): Promise<void> {
  const wait = ["wait", "--for=condition=Programmed", "gateway/waypoint", "-n", namespace, "--timeout=60s"];
  await stage.kubectl(wait, { timeoutMs: DEADLINE_MS + 10_000 });
}

export async function applyNamespaceWaypoint(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A waypoint for a namespace",
    "One command deploys it; who is to use it is a label, on the namespace or on one service.",
  );
  await stage.typed(`kubectl apply -f ${stage.example("reviews.yaml")}`);
  const ready = ["wait", "--for=condition=Available", "deployment", "-l", "app=reviews", "-n", "default"];
  await stage.kubectl([...ready, "--timeout=60s"], { timeoutMs: DEADLINE_MS + 10_000 });
  await stage.typed("istioctl waypoint apply --namespace default");
  await untilProgrammed(stage, "default");
  const url = "http://reviews-v1/";
  const before = await passes(stage, CLIENT, url);
  await stage.typed(`kubectl label service reviews-v1 ${USE}=waypoint`);
  const usedMs = await untilPassing(stage, CLIENT, url);
  const neighbour = await passes(stage, CLIENT, "http://reviews-v2/");
  await stage.typed(`kubectl label service reviews-v1 ${USE}-`);
  await stage.until("the waypoint to be out of use", DEADLINE_MS, async () => {
    const { answered, passed } = await passes(stage, CLIENT, url);
    return answered === CALLS && passed === 0;
  });
  stage.claim({
    claim: "a namespace's waypoint has no traffic until a label asks for it, and then that service's alone",
    ok:
      before.answered === CALLS &&
      before.passed === 0 &&
      neighbour.answered === CALLS &&
      neighbour.passed === 0,
    seen: `deployed and ready: ${before.passed} of ${before.answered} requests pass it; ${usedMs} ms after the label of reviews-v1 all of its ${CALLS} do, of reviews-v2's ${neighbour.passed}; without the label none again`,
    figures: { usedMs },
  });
}

export async function applyWaypointFile(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "A waypoint from a file",
    "The same as a Gateway in YAML, for those who keep everything in Git: class istio-waypoint, port 15008, HBONE.",
  );
  const url = "http://catalog/";
  const before = await passes(stage, STAGING, url);
  await stage.typed(`kubectl apply -f ${stage.example("staging-waypoint.yaml")}`);
  await stage.typed(`kubectl label namespace staging ${USE}=waypoint`);
  await untilProgrammed(stage, "staging");
  const usedMs = await untilPassing(stage, STAGING, url);
  stage.claim({
    claim: "a Gateway of class istio-waypoint is a waypoint: the namespace that names it goes through it",
    ok: before.answered === CALLS && before.passed === 0,
    seen: `before: ${before.passed} of ${before.answered} requests to catalog pass a waypoint; ${usedMs} ms after it was ready all of ${CALLS} do`,
    figures: { usedMs },
  });
}
