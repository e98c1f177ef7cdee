/**
 * A connection to a port that listens on a pod's loopback only, through the API server. As `istioctl` does, by port-forward; where
 * that is not served or not permitted, by a command in the pod that joins its standard input and output with the port.
 */

import type { Duplex } from "node:stream";
import { keyOfRef, type ObjectRef, type PodStreams, statusOf } from "@meltemi/kubernetes";
import { describeError, MeshError } from "@meltemi/runtime";

/** Answers that mean "not in this way", not "not there". */
const OTHER_WAY_STATUSES: ReadonlySet<number> = new Set([400, 403, 404, 405, 426, 500, 501]);

/** Runs in our own images, which all have Node. */
const RELAY = `const s=require("net").connect(Number(process.argv[1]),"127.0.0.1");
process.stdin.pipe(s);s.pipe(process.stdout);process.stdin.on("error",()=>s.destroy());
s.on("error",(e)=>{console.error(e.message);process.exitCode=1});
s.on("close",()=>process.stdout.end(()=>process.exit()))`;

export type OpenPort = (pod: ObjectRef, port: number) => Promise<Duplex>;

export function createPortOpener(streams: PodStreams): OpenPort {
  // A server that does not forward will not learn to.
  let forwards = true;
  return async (pod, port) => {
    let refusal: unknown;
    if (forwards) {
      try {
        return await streams.forward(pod, port);
      } catch (error) {
        if (!OTHER_WAY_STATUSES.has(statusOf(error)?.code ?? 0)) throw error;
        refusal = error;
      }
    }
    try {
      const stream = await streams.exec(pod, { command: ["node", "-e", RELAY, String(port)] });
      forwards = false;
      return stream;
    } catch (error) {
      if (refusal === undefined) throw error;
      // Nobody is told of a detour that was not asked for, unless both ways are closed.
      if (statusOf(error)?.code === 404) throw error;
      throw new MeshError(
        "UNAVAILABLE",
        `reach port ${port} of pod ${keyOfRef(pod)}: ${describeError(refusal)}; ${describeError(error)}`,
        { cause: error },
      );
    }
  };
}
