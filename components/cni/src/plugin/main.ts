/**
 * `istio-cni`: the CNI plugin (CNI specification 1.1.0). Asks the agent to enrol the pod whose sandbox is being made. Fails closed: a pod that
 * may belong to the mesh does not start without the agent. Imports as little as possible: it runs once per pod.
 */

import { readSync } from "node:fs";
import {
  type CniError,
  ERROR_CODES,
  type PluginConf,
  readCall,
  renderError,
  renderResult,
  renderVersion,
} from "./cni-call.ts";

/** A network list with the results of its plugins is a page of text. */
const MAX_INPUT_BYTES = 1024 * 1024;

interface Outcome {
  readonly stdout: string;
  readonly exitCode: number;
}

async function main(): Promise<Outcome> {
  const input = readInput();
  if (input === undefined)
    return failed("1.1.0", {
      code: ERROR_CODES.undecodable,
      msg: `standard input: expected at most ${MAX_INPUT_BYTES} bytes`,
    });
  const call = readCall(process.env, input);
  switch (call.kind) {
    case "version":
      return { stdout: renderVersion(call.cniVersion), exitCode: 0 };
    case "done":
      return { stdout: "", exitCode: 0 };
    case "pass":
      return { stdout: renderResult(call.conf), exitCode: 0 };
    case "fail":
      return failed(call.cniVersion, call.error);
    case "probe": {
      const { probeAgent } = await import("./ask-agent.ts");
      const why = await probeAgent(socketOf(call.conf));
      if (why === undefined) return { stdout: "", exitCode: 0 };
      return failed(call.conf.cniVersion, {
        code: ERROR_CODES.notAvailable,
        msg: "the mesh's node agent does not answer: pods cannot be enrolled",
        details: why,
      });
    }
    case "add": {
      // Loading HTTP takes a third of the time of a call, and removals need none.
      const { askAgent } = await import("./ask-agent.ts");
      const answer = await askAgent(socketOf(call.conf), call.event);
      if (answer.kind === "accepted") return { stdout: renderResult(call.conf), exitCode: 0 };
      const pod = `${call.event.PodNamespace}/${call.event.PodName}`;
      const unreachable = answer.kind === "unreachable";
      return failed(call.conf.cniVersion, {
        code: unreachable ? ERROR_CODES.ioFailure : ERROR_CODES.refused,
        msg: `enrol pod ${pod}: ${unreachable ? "the mesh's node agent does not answer" : "the mesh's node agent refused"}`,
        details: answer.why,
      });
    }
  }
}

function socketOf(conf: PluginConf): string {
  return `${conf.runFolder}/pluginevent.sock`;
}

function failed(cniVersion: string, error: CniError): Outcome {
  return { stdout: renderError(cniVersion, error), exitCode: 1 };
}

/** Undefined when there is more than a configuration can be. */
function readInput(): string | undefined {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for (;;) {
    const chunk = Buffer.alloc(64 * 1024);
    const read = readSync(0, chunk);
    if (read === 0) return Buffer.concat(chunks).toString("utf8");
    bytes += read;
    if (bytes > MAX_INPUT_BYTES) return undefined;
    chunks.push(chunk.subarray(0, read));
  }
}

const outcome = await main();
process.stdout.write(outcome.stdout);
process.exitCode = outcome.exitCode;
