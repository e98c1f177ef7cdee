/** Which Kubernetes an API server is. */

import type { KubernetesClient } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

/** 30 of 1.30, also where a provider writes `30+`. Throws PROTOCOL_INVALID when the answer is none. */
export async function readServerMinor(
  client: Pick<KubernetesClient, "request">,
  signal: AbortSignal,
): Promise<number> {
  const { body } = await client.request({ method: "GET", path: "/version", signal });
  const minor = minorOf(body);
  if (minor === undefined)
    throw new MeshError("INPUT_INVALID", "read the API server's version: expected a minor version");
  return minor;
}

function minorOf(body: string): number | undefined {
  try {
    const { minor } = JSON.parse(body) as { readonly minor?: unknown };
    const digits = typeof minor === "string" ? /^\d+/.exec(minor)?.[0] : undefined;
    return digits === undefined ? undefined : Number(digits);
  } catch {
    return undefined;
  }
}
