/** A new version gets requests by header, then by weight. */

import { countBy, isGood, ReviewsCaller } from "../reviews-caller.ts";
import type { Stage } from "../stage.ts";

const DEADLINE_MS = 15_000;
const BY_HEADER_REQUESTS = 20;
const BY_WEIGHT_REQUESTS = 400;
const NEW_PERCENT = 20;
/** Four standard deviations of so many requests. */
const TOLERANCE_PERCENT = 8;
const TESTER = { "x-tester": "yes" } as const;

export async function showCanaryByHeader(stage: Stage): Promise<void> {
  stage.narrator.chapter("Canary by header", "Testers get version 2, everyone else stays with version 1.");
  const manifest = ["-f", stage.example("canary-by-header.yaml")];
  using caller = new ReviewsCaller(stage);
  await stage.typed(`kubectl apply ${manifest.join(" ")}`);
  const reaches = async (version: string, headers: Readonly<Record<string, string>>): Promise<boolean> =>
    (await caller.ask({ headers, times: 5 })).every((answer) => answer.version === version);
  const inForceMs = await stage.until(
    "the route",
    DEADLINE_MS,
    async () => (await reaches("v2", TESTER)) && (await reaches("v1", {})),
  );
  const testers = await caller.ask({ headers: TESTER, times: BY_HEADER_REQUESTS });
  const everyone = await caller.ask({ times: BY_HEADER_REQUESTS });
  stage.claim({
    claim: "an HTTPRoute sends requests with a header to the new version, and no others",
    ok:
      testers.every((answer) => isGood(answer) && answer.version === "v2") &&
      everyone.every((answer) => isGood(answer) && answer.version === "v1"),
    seen: `in force after ${Math.round(inForceMs)} ms; with "x-tester: yes": ${countBy(testers, ({ version }) => version)}; without: ${countBy(everyone, ({ version }) => version)}`,
    figures: { inForceMs: Math.round(inForceMs) },
  });
  await stage.kubectl(["delete", ...manifest]);
}

export async function showCanaryByWeight(stage: Stage): Promise<void> {
  stage.narrator.chapter("Canary by weight", `Version 3 gets ${NEW_PERCENT} of a hundred requests.`);
  const manifest = ["-f", stage.example("canary-by-weight.yaml")];
  using caller = new ReviewsCaller(stage);
  await stage.typed(`kubectl apply ${manifest.join(" ")}`);
  await stage.until("the route", DEADLINE_MS, async () =>
    (await caller.ask({ times: 20 })).every(({ version }) => version === "v1" || version === "v3"),
  );
  const answers = await caller.ask({ times: BY_WEIGHT_REQUESTS });
  const percent = (100 * answers.filter(({ version }) => version === "v3").length) / answers.length;
  stage.claim({
    claim: "a VirtualService splits requests by weight",
    ok:
      answers.every((answer) => isGood(answer) && ["v1", "v3"].includes(answer.version)) &&
      Math.abs(percent - NEW_PERCENT) <= TOLERANCE_PERCENT,
    seen: `${BY_WEIGHT_REQUESTS} requests: ${countBy(answers, ({ version }) => version)}; v3 had ${percent.toFixed(1)} %`,
    figures: { v3Percent: Math.round(percent * 10) / 10 },
  });
  await stage.kubectl(["delete", ...manifest]);
}
