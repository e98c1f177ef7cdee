/** What `exec`, `attach` and `port-forward` do in a pod, whichever way the client speaks. */
import type { Duplex } from "node:stream";
import { type Clock, describeError } from "@meltemi/runtime";
import type { WebSocket } from "ws";
import {
  type ExecRequest,
  type ExecRequestResult,
  readAttachRequest,
  readExecRequest,
} from "../streaming/channel-protocol.ts";
import type { PodSubresource } from "../streaming/choose-transport.ts";
import { type ContainerProcess, runExecSession } from "../streaming/exec-session.ts";
import { execOverSpdy } from "../streaming/exec-spdy.ts";
import { forwardOverChannels, readForwardRequest } from "../streaming/forward-channels.ts";
import type { DialPort } from "../streaming/forward-port.ts";
import { forwardOverSpdy } from "../streaming/forward-spdy.ts";
import { textAt } from "./json.ts";
import { type KubeObject, nameOf, namespaceOf, uidOf } from "./kube-object.ts";
import { chooseContainer } from "./pod-logs.ts";
import { badRequest } from "./refusal.ts";

/** Finds a running container, and says how to start something in it; throws a MeshError when no such container runs. */
export type PodProcess = (namespace: string, pod: string, container: string) => StartProcess;

export type StartProcess = (request: ExecRequest) => ContainerProcess;

/** Finds a pod's network; throws a MeshError when the pod has none yet. */
export type PodForward = (namespace: string, pod: string) => DialPort;

/** What whoever runs the pods lends to the API server. */
export interface PodAccess {
  /** Starts a command in a container. */
  readonly exec: PodProcess;
  /** Joins the container's own process. */
  readonly attach: PodProcess;
  readonly forward: PodForward;
}

export interface PodSession {
  /** Over the channels of a WebSocket. */
  overChannels(socket: WebSocket): Promise<void>;
  overSpdy(transport: Duplex): Promise<void>;
  /** The connection is gone, or never was. */
  abandon(): void;
}

/** @throws Refusal when the request is malformed or nothing of the kind runs */
export function openPodSession(
  access: PodAccess,
  clock: Clock,
  subresource: PodSubresource,
  pod: KubeObject,
  query: URLSearchParams,
): PreparedSession {
  if (subresource === "portforward") return forwardSession(access, clock, pod, query);
  return processSession(access[subresource], clock, subresource, pod, query);
}

/** Everything is checked; `begin` starts it. */
export interface PreparedSession {
  begin(overChannels: boolean): PodSession;
}

function processSession(
  find: PodProcess,
  clock: Clock,
  subresource: "exec" | "attach",
  pod: KubeObject,
  query: URLSearchParams,
): PreparedSession {
  const read: ExecRequestResult = subresource === "exec" ? readExecRequest(query) : readAttachRequest(query);
  if (read.kind === "bad") throw badRequest(`${subresource}: ${read.why}`);
  const { request } = read;
  const container = chooseContainer(pod, request.container ?? "");
  const start = orRefuse(subresource, () => find(namespaceOf(pod), nameOf(pod), container));
  return {
    begin() {
      const process = orRefuse(subresource, () => start(request));
      return {
        overChannels: (socket) => runExecSession(socket, process, request),
        overSpdy: (transport) => execOverSpdy(transport, process, request, clock),
        abandon: () => process.kill(),
      };
    },
  };
}

function forwardSession(
  access: PodAccess,
  clock: Clock,
  pod: KubeObject,
  query: URLSearchParams,
): PreparedSession {
  const phase = textAt(pod, "status", "phase") ?? "";
  if (phase === "Succeeded" || phase === "Failed")
    throw badRequest(`portforward: pod ${nameOf(pod)} is not running: its phase is ${phase}`);
  const dial = orRefuse("portforward", () => access.forward(namespaceOf(pod), nameOf(pod)));
  const target = { label: `${nameOf(pod)}_${namespaceOf(pod)}`, uid: uidOf(pod), dial };
  return {
    begin(overChannels) {
      // Over SPDY each connection names its port itself.
      const read = overChannels ? readForwardRequest(query) : { kind: "ok" as const, ports: [] };
      if (read.kind === "bad") throw badRequest(`portforward: ${read.why}`);
      return {
        overChannels: (socket) => forwardOverChannels(socket, target, read.ports),
        overSpdy: (transport) => forwardOverSpdy(transport, target, clock),
        // Its connections end with the client's.
        abandon: () => {},
      };
    },
  };
}

function orRefuse<T>(subresource: PodSubresource, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw badRequest(`${subresource}: ${describeError(error)}`);
  }
}
