/** What commands that look at proxies are given: the API, and the proxies' admin ports behind it. */

import type { Duplex } from "node:stream";
import {
  type ClusterAccess,
  createPodStreams,
  type KubernetesClient,
  keyOf,
  type Pod,
  refOf,
} from "@meltemi/kubernetes";
import { type Clock, MeshError } from "@meltemi/runtime";
import { isJson, type Json } from "../output/json.ts";
import { type AdminAnswer, type AdminRequest, requestOver } from "./admin-request.ts";
import { createPortOpener } from "./pod-tunnel.ts";

export interface MeshCluster {
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** A TCP connection to a port of the pod's loopback. */
  openPort(pod: Pod, port: number): Promise<Duplex>;
  /** An answer of any status is a result. */
  request(pod: Pod, port: number, request: AdminRequest): Promise<AdminAnswer>;
  /** `GET /config_dump`. Throws when the proxy does not answer with one. */
  dump(pod: Pod, port: number): Promise<Json>;
}

export function createMeshCluster(
  access: ClusterAccess,
  deps: Pick<MeshCluster, "client" | "signal" | "clock">,
): MeshCluster {
  const open = createPortOpener(createPodStreams(access));
  const openPort = (pod: Pod, port: number): Promise<Duplex> => open(refOf(pod), port);
  const request: MeshCluster["request"] = async (pod, port, wanted) => {
    const what = `${wanted.method} ${wanted.path} of pod ${keyOf(pod)}`;
    return requestOver(await openPort(pod, port), what, wanted, deps);
  };
  return {
    ...deps,
    openPort,
    request,
    async dump(pod, port) {
      const { status, body } = await request(pod, port, { method: "GET", path: "/config_dump" });
      const what = `GET /config_dump of pod ${keyOf(pod)}`;
      if (status !== 200)
        throw new MeshError("PEER_REFUSED", `${what}: HTTP ${status} ${body.slice(0, 200).trim()}`);
      return parseDump(body, what);
    },
  };
}

/** Throws PROTOCOL_VIOLATION for what is no JSON object. */
export function parseDump(text: string, what: string): Json {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `${what}: expected a config dump in JSON`, { cause });
  }
  if (!isJson(parsed))
    throw new MeshError("INPUT_INVALID", `${what}: expected a config dump, a JSON object with keys`);
  return parsed;
}
