/** Installs the mesh and puts the programs on the stage. */

import type { Stage } from "../stage.ts";

const READY_DEADLINE_MS = 120_000;

/**
 * Certificates of this demo live three minutes, so that their rotation can be watched: they are dated two minutes back
 * against clock skew, and renewed at half life, which is 30 s from now.
 */
const CERTIFICATE_TTL = "180s";

export async function installMesh(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Install the ambient profile",
    "The command is Istio's own, spoken to a real Kubernetes API; it ends when every part serves.",
  );
  const argv = [
    "istioctl",
    "install",
    "--set",
    "profile=ambient",
    "--set",
    `values.ztunnel.env.SECRET_TTL=${CERTIFICATE_TTL}`,
    "-y",
  ];
  stage.narrator.command(argv.join(" "));
  stage.narrator.note(
    "(certificates usually live 24 h; here 3 minutes, so that you can watch one being renewed)",
  );
  const startMs = stage.clock.monotonicMs();
  const result = await stage.run(argv, { timeoutMs: 180_000 });
  const elapsedMs = Math.round(stage.clock.monotonicMs() - startMs);
  stage.claim({
    claim: "istioctl installs the ambient profile and waits until it serves",
    ok: result.code === 0,
    seen: result.code === 0 ? `ready after ${elapsedMs} ms` : result.stderr.trim(),
    figures: { installMs: elapsedMs },
  });
}

/** Installs again without the short lifetime. */
export async function restoreCertificateLifetime(stage: Stage): Promise<void> {
  const argv = ["istioctl", "install", "--set", "profile=ambient", "-y"];
  stage.narrator.note("Certificates get their usual lifetime of 24 h back:");
  stage.narrator.command(argv.join(" "));
  const { code, stderr } = await stage.run(argv, { timeoutMs: 180_000 });
  if (code !== 0) stage.narrator.note(`That failed; they still live ${CERTIFICATE_TTL}: ${stderr.trim()}`);
}

export async function deployPrograms(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Deploy nginx, Redis, PostgreSQL and a gRPC pair on two nodes",
    "Programs as everyone runs them, none of which knows of the mesh.",
  );
  await stage.shown(["apply", "-f", stage.example("programs.yaml")]);
  for (const namespace of ["shop", "outside"]) {
    await stage.kubectl(
      ["wait", "--for=condition=Available", "deployment", "--all", "-n", namespace, "--timeout=120s"],
      { timeoutMs: READY_DEADLINE_MS + 10_000 },
    );
  }
  const pods = await stage.kubectl(["get", "pods", "-n", "shop", "-o", "json"]);
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
