/** How a port of a pod is reached: by port-forward, else by a command; and what is said when neither is possible. */

import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { PodStreams } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";
import { createPortOpener } from "./pod-tunnel.ts";

const pod = { namespace: "a", name: "b" };

function refusal(status: number, message: string): () => Promise<never> {
  return () => Promise.reject(new MeshError("NOT_FOUND", message, { details: { status, reason: "" } }));
}

function recording(streams: Partial<PodStreams>): { readonly streams: PodStreams; readonly calls: string[] } {
  const calls: string[] = [];
  const open = async () => new PassThrough();
  return {
    calls,
    streams: {
      forward(...given) {
        calls.push("forward");
        return (streams.forward ?? open)(...given);
      },
      exec(...given) {
        calls.push("exec");
        return (streams.exec ?? open)(...given);
      },
    },
  };
}

test("port-forward first", async () => {
  const { streams, calls } = recording({});
  await createPortOpener(streams)(pod, 15_000);
  assert.deepEqual(calls, ["forward"]);
});

test("a server that does not forward is asked once", async () => {
  const { streams, calls } = recording({ forward: refusal(404, "no such path") });
  const open = createPortOpener(streams);
  await open(pod, 15_000);
  await open(pod, 15_000);
  assert.deepEqual(calls, ["forward", "exec", "exec"]);
});

test("neither is permitted: both refusals are told", async () => {
  const { streams } = recording({
    forward: refusal(403, "may not forward"),
    exec: refusal(403, "may not exec"),
  });
  await assert.rejects(
    createPortOpener(streams)(pod, 1),
    /reach port 1 of pod a\/b: may not forward; may not exec/,
  );
});

test("a pod that is not there is told as such", async () => {
  const { streams } = recording({
    forward: refusal(404, "no such path"),
    exec: refusal(404, 'pods "b" not found'),
  });
  await assert.rejects(createPortOpener(streams)(pod, 1), /^MeshError: pods "b" not found$/);
});

test("a cluster that does not answer is no reason for another way", async () => {
  const { streams, calls } = recording({
    forward: () => Promise.reject(new MeshError("UNAVAILABLE", "no answer")),
  });
  await assert.rejects(createPortOpener(streams)(pod, 1), /no answer/);
  assert.deepEqual(calls, ["forward"]);
});
