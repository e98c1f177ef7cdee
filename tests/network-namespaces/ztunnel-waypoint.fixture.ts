/** A mesh that is told by compiled facts, as the control plane would, and a waypoint that passes on without looking. */

import { once } from "node:events";
import { createServer } from "node:net";
import {
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
  type HboneRequest,
  headerValues,
} from "@meltemi/hbone";
import { createTlsContexts } from "@meltemi/identity";
import { createRelays } from "@meltemi/l4";
import { connectTcp, createTcpListener } from "@meltemi/linux";
import { workloadIdentity } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import type { TestAuthority } from "@meltemi/testkit";
import { podFacts, SETTINGS } from "../../components/control-plane/src/compile/facts.fixture.ts";
import type { Labels } from "../../components/control-plane/src/compile/facts.ts";
import type { MeshInputs } from "../../components/control-plane/src/compile/mesh-collections.ts";
import { createMeshCompiler } from "../../components/control-plane/src/compile/mesh-compiler.ts";
import type { Mesh } from "./ztunnel-mesh.fixture.ts";
import type { MeshNode } from "./ztunnel-node.fixture.ts";
import type { MeshPod } from "./ztunnel-pod.fixture.ts";

export interface CompiledMesh {
  /** Changes the facts, compiles, and tells every ztunnel what came out differently. */
  change(edit: (inputs: MeshInputs) => void): void;
  pod(node: MeshNode, namespace: string, name: string, options?: CompiledPodOptions): Promise<MeshPod>;
}

export interface CompiledPodOptions {
  readonly labels?: Labels;
  /** Default true. */
  readonly captured?: boolean;
}

export function createCompiledMesh(mesh: Mesh): CompiledMesh {
  const compiler = createMeshCompiler(SETTINGS, (collection, key, cause) => {
    throw new Error(`${collection} ${key}`, { cause });
  });
  const change: CompiledMesh["change"] = (edit) => {
    edit(compiler.inputs);
    const { policies, services, workloads } = compiler.flush();
    for (const { value } of policies.upserts) mesh.putPolicy(value);
    for (const { value } of services.upserts) mesh.put(value);
    for (const { value } of workloads.upserts) mesh.put(value);
    mesh.remove(...services.removedNames, ...workloads.removedNames);
    for (const key of policies.removedNames) {
      const slash = key.indexOf("/");
      mesh.removePolicy({ namespace: key.slice(0, slash), name: key.slice(slash + 1) });
    }
  };
  return {
    change,
    async pod(node, namespace, name, { labels = {}, captured = true } = {}) {
      const pod = await node.pod(name, { captured, workload: { namespace } });
      const facts = podFacts({
        namespace,
        name,
        labels,
        captured,
        ips: [pod.ipv4, pod.ipv6],
        node: node.name,
        serviceAccount: name,
        workloadName: name,
      });
      change(({ pods }) => void pods.put(`${namespace}/${name}`, facts));
      // From here on it is known as the compiler names it.
      mesh.remove(pod.workload.uid);
      return pod;
    },
  };
}

export interface PassingWaypoint extends AsyncDisposable {
  /** `:authority` of each CONNECT, oldest first. */
  readonly asked: readonly string[];
  /** Who each was from, as mutual TLS proved it and as the request says. */
  readonly callers: readonly {
    readonly account: string;
    readonly forwarded: string | undefined;
    readonly baggage: string | undefined;
  }[];
}

/** Whatever it is asked for, it connects to `port` of `endpoint`, by HBONE and as itself. */
export async function startPassingWaypoint(
  authority: TestAuthority,
  pod: MeshPod,
  endpoint: MeshPod,
  port: number,
): Promise<PassingWaypoint> {
  const source = workloadIdentity(pod.workload);
  const certificate = createTlsContexts(authority.issue(source));
  const relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });
  const pool = createHbonePool(HBONE_POOL_DEFAULTS, {
    clock: systemClock,
    certificate: () => certificate,
    dial: (destination, _sourceIp, signal) => connectTcp({ netns: pod.netns, destination }, signal),
  });
  const asked: string[] = [];
  const callers: PassingWaypoint["callers"][number][] = [];
  const passOn = async (request: HboneRequest): Promise<void> => {
    asked.push(request.authority);
    callers.push({
      account: request.peer.identity.serviceAccount,
      forwarded: headerValues(request.headers, "forwarded")[0],
      baggage: headerValues(request.headers, "baggage")[0],
    });
    const key = {
      source,
      expected: [workloadIdentity(endpoint.workload)],
      destination: { ip: endpoint.ipv4, port: 15008 },
      sourceIp: pod.ipv4,
    };
    const onward = { authority: `${endpoint.ipv4}:${port}`, headers: [] };
    const outcome = await pool.openTunnel(key, onward, request.abandoned);
    if (outcome.kind === "open") relays.start(request.accept([]), outcome.channel);
    else request.refuse(503);
  };
  const server = createHboneServer(
    { ...HBONE_SERVER_DEFAULTS, maxConnections: 100 },
    { clock: systemClock, certificate: () => certificate, onRequest: (request) => void passOn(request) },
  );
  const { fd } = createTcpListener({ netns: pod.netns, address: { ip: "::", port: 15008 }, backlog: 128 });
  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) =>
    server.accept(socket),
  );
  listener.listen({ fd });
  await once(listener, "listening");
  return {
    asked,
    callers,
    async [Symbol.asyncDispose]() {
      listener.close();
      await server[Symbol.asyncDispose]();
      await pool[Symbol.asyncDispose]();
      relays[Symbol.dispose]();
    },
  };
}
