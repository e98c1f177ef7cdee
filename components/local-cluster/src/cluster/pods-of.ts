/** Ways into the pods of the cluster's nodes, for the API server: whoever runs a pod lets in. */

import { connectTcp, openNetworkNamespace } from "@meltemi/linux";
import { describeError, MeshError } from "@meltemi/runtime";
import type { PodAccess } from "../api-server/pod-sessions.ts";
import type { RunningContainer } from "../kubelet/running-container.ts";
import type { DialPort } from "../streaming/forward-port.ts";
import type { RunningNode } from "./nodes.ts";

export function podsOf(running: ReadonlyMap<string, RunningNode>): PodAccess {
  const container = (namespace: string, pod: string, name: string): RunningContainer => {
    for (const { kubelet } of running.values()) {
      const found = kubelet.running(namespace, pod, name);
      if (found !== undefined) return found;
    }
    throw new MeshError("NOT_FOUND", `container ${name} of pod ${namespace}/${pod} does not run`);
  };
  return {
    exec(namespace, pod, name) {
      const found = container(namespace, pod, name);
      return ({ command, tty }) => found.open(command, tty);
    },
    attach(namespace, pod, name) {
      const found = container(namespace, pod, name);
      return (request) => found.attach(request);
    },
    forward(namespace, pod) {
      for (const { kubelet } of running.values()) {
        const path = kubelet.networkNamespace(namespace, pod);
        if (path !== undefined) return dialInside(path);
      }
      throw new MeshError("NOT_FOUND", `pod ${namespace}/${pod} runs on no node yet`);
    },
  };
}

/** A program may listen on either; IPv4 first, as the kubelet's runtimes do. */
const LOOPBACKS = ["127.0.0.1", "::1"];

/** The namespace is opened for each connection: a pod that is gone refuses, and no handle outlives it. */
function dialInside(path: string): DialPort {
  return async (port, signal) => {
    const failures: string[] = [];
    for (const ip of LOOPBACKS) {
      using netns = openNetworkNamespace(path);
      try {
        return await connectTcp({ netns, destination: { ip, port }, noDelay: true }, signal);
      } catch (error) {
        failures.push(`${ip}: ${failureOf(error)}`);
      }
    }
    throw new MeshError("UNAVAILABLE", failures.join(", "));
  };
}

function failureOf(error: unknown): string {
  const refused = error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  return refused ? "connection refused" : describeError(error);
}
