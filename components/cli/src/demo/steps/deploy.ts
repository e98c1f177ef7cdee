/** Installs the mesh and puts the programs on the stage. */

import type { Stage } from "../stage.ts";

const READY_DEADLINE_MS = 120_000;
const INSTALL_DEADLINE_MS = 180_000;
/** What `install` is answered when it asks whether to proceed. */
const YES = "y\n";

/**
 * Certificates of this demo live three minutes, so that their rotation can be watched: they are dated two minutes back
 * against clock skew, and renewed at half life, which is 30 s from now.
 */
const CERTIFICATE_TTL = "180s";
const LIFETIME = "kubectl set env daemonset/ztunnel -n istio-system";

export async function installMesh(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Install the ambient profile",
    "The command is Istio's own, spoken to a real Kubernetes API; it ends when every part serves.",
  );
  const install = await runInstall(stage, "istioctl install --set profile=ambient");
  stage.claim({
    claim: "istioctl installs the ambient profile and waits until it serves",
    ok: install.problem === undefined,
    seen: install.problem ?? `ready after ${install.elapsedMs} ms`,
    figures: { installMs: install.elapsedMs },
  });
  stage.narrator.note("Certificates live 24 h; here 3 minutes, so that you can watch one being renewed:");
  await stage.typed(`${LIFETIME} SECRET_TTL=${CERTIFICATE_TTL}`);
}

/** Says yes to what the command asks. `problem`: its own words when it failed. */
export async function runInstall(
  stage: Stage,
  line: string,
): Promise<{ readonly elapsedMs: number; readonly problem: string | undefined }> {
  const startMs = stage.clock.monotonicMs();
  const { code, stderr } = await stage.tried(line, { input: YES, timeoutMs: INSTALL_DEADLINE_MS });
  const elapsedMs = Math.round(stage.clock.monotonicMs() - startMs);
  stage.narrator.note('(it asks "Proceed? (y/N)", and is told y)');
  return { elapsedMs, problem: code === 0 ? undefined : stderr.trim() };
}

/** Takes the short lifetime back. */
export async function restoreCertificateLifetime(stage: Stage): Promise<void> {
  stage.narrator.note("Certificates get their usual lifetime of 24 h back:");
  const { code, stderr } = await stage.tried(`${LIFETIME} SECRET_TTL-`);
  if (code !== 0) stage.narrator.note(`That failed; they still live ${CERTIFICATE_TTL}: ${stderr.trim()}`);
}

export async function deployPrograms(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Deploy nginx, Redis, PostgreSQL and a gRPC pair on two nodes",
    "Programs as everyone runs them, none of which knows of the mesh.",
  );
  await stage.typed(`kubectl apply -f ${stage.example("programs.yaml")} -f ${stage.example("staging.yaml")}`);
  for (const namespace of ["default", "staging", "outside"]) {
    await stage.kubectl(
      ["wait", "--for=condition=Available", "deployment", "--all", "-n", namespace, "--timeout=120s"],
      { timeoutMs: READY_DEADLINE_MS + 10_000 },
    );
  }
  await stage.kubectl(["rollout", "status", "daemonset/ztunnel", "-n", "istio-system", "--timeout=120s"], {
    timeoutMs: READY_DEADLINE_MS + 10_000,
  });
  const pods = await stage.kubectl(["get", "pods", "-n", "default", "-o", "json"]);
  const nodes = new Set((JSON.parse(pods) as PodList).items.map((pod) => pod.spec.nodeName));
  stage.claim({
    claim: "real programs run as pods on both nodes",
    ok: nodes.size === 2,
    seen: `${(JSON.parse(pods) as PodList).items.length} pods on ${[...nodes].sort().join(" and ")}`,
  });
}

interface PodList {
  readonly items: readonly { readonly spec: { readonly nodeName: string } }[];
}
