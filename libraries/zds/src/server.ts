/**
 * ZDS from the CNI agent's side: ztunnels connect, each is told the snapshot of pods first, then what changes. New pods go to the
 * newest connection alone, removals to all, so that an old, draining ztunnel learns of removals but takes no new pods.
 */

import { listenSeqpacket, type SeqpacketConnection } from "@meltemi/linux";
import { type Clock, type Logger, MeshError } from "@meltemi/runtime";
import { acceptLoop } from "./accept-loop.ts";
import type { ZdsAnswer } from "./codec.ts";
import type { ZdsPods } from "./pods.ts";
import { createServerConnection, type ServerConnection } from "./server-connection.ts";

export interface ZdsServerOptions {
  /** Istio: /var/run/ztunnel/ztunnel.sock (ZTUNNEL_UDS_ADDRESS). */
  readonly path: string;
}

export interface ZdsServerDependencies {
  readonly clock: Clock;
  readonly log: Logger;
  readonly pods: ZdsPods;
  /** Called with the number of ztunnels connected whenever it changes. */
  readonly onConnections?: (count: number) => void;
}

export interface ZdsServer {
  /** Gives the pod to the newest ztunnel and resolves with its answer; UNAVAILABLE when none is connected or it fell silent. */
  add(uid: string): Promise<ZdsAnswer>;
  /** Tells every ztunnel that the pod is gone; resolves when each has answered or was disconnected. */
  del(uid: string): Promise<void>;
  connections(): number;
  /** Stops listening and disconnects everyone; ztunnels keep serving their pods and come back. */
  close(): void;
}

/** Two of a rolling upgrade and a straggler; more is somebody else on our socket. */
const MAX_CONNECTIONS = 8;
const BACKLOG = 8;

export function createZdsServer(options: ZdsServerOptions, deps: ZdsServerDependencies): ZdsServer {
  const { clock, log } = deps;
  const listener = listenSeqpacket({ path: options.path, backlog: BACKLOG, mode: 0o600 });
  const closing = new AbortController();
  /** Oldest first. */
  let connections: readonly ServerConnection[] = [];
  const changed = (next: readonly ServerConnection[]): void => {
    connections = next;
    deps.onConnections?.(next.length);
  };
  const adopt = (socket: SeqpacketConnection): void => {
    if (connections.length >= MAX_CONNECTIONS) {
      log.warn("refused a ztunnel: too many are connected", { connections: connections.length });
      socket.close();
      return;
    }
    const connection = createServerConnection(socket, { clock, log, pods: deps.pods });
    // Registered before its hello is read: a pod added from now on reaches it, behind its snapshot.
    changed([...connections, connection]);
    connection.closed.then((why) => {
      log.info("ztunnel disconnected", { why });
      const wasNewest = connections.at(-1) === connection;
      changed(connections.filter((other) => other !== connection));
      const next = connections.at(-1);
      if (wasNewest && next !== undefined) tellAll(next);
    }, log.error);
  };
  /**
   * After a restart of the agent in the middle of a rolling upgrade the two ztunnels come back in any order: the one that stays may have
   * come first, and then was not told of pods that joined since. To be told of a pod twice changes nothing.
   */
  const tellAll = (connection: ServerConnection): void => {
    for (const uid of deps.pods.uids().filter((one) => deps.pods.find(one)?.netnsFd !== undefined))
      connection.request({ kind: "add", uid }).then(
        (answer) => {
          if (answer.kind === "nack") log.warn("ztunnel refused a pod", { uid, why: answer.why });
        },
        // The connection has ended, which is logged above.
        () => undefined,
      );
  };
  void acceptLoop({ listener, clock, log, adopt }, closing.signal);
  return {
    async add(uid) {
      const newest = connections.at(-1);
      if (newest === undefined) throw new MeshError("UNAVAILABLE", `add pod ${uid}: no ztunnel is connected`);
      return await newest.request({ kind: "add", uid });
    },
    async del(uid) {
      // A connection that fails closes itself: its ztunnel learns of the removal from the next snapshot.
      await Promise.allSettled(connections.map((connection) => connection.request({ kind: "del", uid })));
    },
    connections: () => connections.length,
    close() {
      closing.abort();
      listener.close();
      for (const connection of connections) connection.close("the agent is stopping");
    },
  };
}
