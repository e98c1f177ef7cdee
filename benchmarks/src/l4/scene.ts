/**
 * Two nodes with two pods each, in network namespaces: one pair of pods is in the mesh, the other one is plain and carries the direct
 * path and the HAProxy pair. The same application and the same load generator run in both pairs.
 */

import type { ChildProcess } from "node:child_process";
import { createNetnsLab, createTemporaryFolder, type LabNode, type LabPlace } from "@meltemi/testkit";
import type { AuthorityStarted } from "./certificate-authority.worker.ts";
import type { LoadCommand, LoadReply } from "./messages.ts";
import { nextMessage, startWorker, stopProgram } from "./place-process.ts";

interface PodPair {
  readonly client: LabPlace;
  readonly server: LabPlace;
  /** Has the load generator of the client's pod do something. */
  load(command: LoadCommand): Promise<LoadReply>;
}

export interface Scene extends AsyncDisposable {
  readonly nodes: readonly [LabNode, LabNode];
  readonly meshed: PodPair;
  readonly plain: PodPair;
  /** Where the authority listens, and what it gave the other proxy. */
  readonly authority: AuthorityStarted & { readonly address: string };
  /** For configuration and logs. */
  readonly folder: string;
}

const LAB = "mlx-bench";
const AUTHORITY_PORT = "15012";

export async function createScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await createTemporaryFolder("bench-l4"));
  const lab = stack.use(await createNetnsLab(LAB));
  const control = await lab.node("control");
  const nodes = [await lab.node("node-a"), await lab.node("node-b")] as const;
  const started = await startWorker<AuthorityStarted>(
    control,
    new URL("./certificate-authority.worker.ts", import.meta.url),
    [control.ipv4, AUTHORITY_PORT],
  );
  stack.defer(() => stopProgram(started.child));
  const meshed = await podPair(nodes, "mesh", stack);
  const plain = await podPair(nodes, "plain", stack);
  const owned = stack.move();
  return {
    nodes,
    meshed,
    plain,
    authority: { ...started.first, address: `${control.ipv4}:${AUTHORITY_PORT}` },
    folder: folder.path,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function podPair(
  [near, far]: readonly [LabNode, LabNode],
  name: string,
  stack: AsyncDisposableStack,
): Promise<PodPair> {
  const client = await near.pod(`${name}-client`);
  const server = await far.pod(`${name}-server`);
  for (const program of ["./application.worker.ts", "./once.worker.ts"]) {
    const application = await startWorker(server, new URL(program, import.meta.url));
    stack.defer(() => stopProgram(application.child));
  }
  const generator = await startWorker(client, new URL("./load.worker.ts", import.meta.url));
  stack.defer(() => stopProgram(generator.child));
  return { client, server, load: (command) => ask(generator.child, command) };
}

async function ask(generator: ChildProcess, command: LoadCommand): Promise<LoadReply> {
  generator.send(command);
  const reply = await nextMessage<LoadReply>(generator);
  if (reply.fault !== undefined) process.stderr.write(`load generator: ${reply.fault}\n`);
  return reply;
}
