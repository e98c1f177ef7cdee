/** `kubectl logs`: the lines come from whoever runs the pod, injected as an async stream of bytes. */

import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { listAt, textAt } from "./json.ts";
import { type KubeObject, nameOf, namespaceOf } from "./kube-object.ts";
import { badRequest, Refusal } from "./refusal.ts";
import type { Stored } from "./store/object-store.ts";

interface PodLogOptions {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly limitBytes: number | undefined;
  readonly sinceSeconds: number | undefined;
  /** RFC 3339 */
  readonly sinceTime: string | undefined;
  /** Aborted when the reader has gone. */
  readonly signal: AbortSignal;
}

/** Ends when the log does, or, following, when the container does; throws a MeshError when there is no such log. */
export type PodLogs = (
  namespace: string,
  pod: string,
  container: string,
  options: PodLogOptions,
) => AsyncIterable<Buffer>;

export interface ServeLogs {
  readonly podLogs: PodLogs;
}

interface LogExchange {
  readonly response: ServerResponse;
  readonly url: URL;
}

export async function serveLogs(deps: ServeLogs, stored: Stored, exchange: LogExchange): Promise<void> {
  const pod = stored.object;
  const { response, url } = exchange;
  const container = chooseContainer(pod, url.searchParams.get("container") ?? "");
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const options = logOptions(url.searchParams, gone.signal);
  const chunks = deps.podLogs(namespaceOf(pod), nameOf(pod), container, options)[Symbol.asyncIterator]();
  // The first chunk is waited for before the status line: a log that cannot be read is then a proper refusal. Following
  // answers at once, since a silent container may keep its reader waiting for ever.
  if (options.follow) response.writeHead(200, { "content-type": "text/plain" }).flushHeaders();
  await copy(chunks, response, options.limitBytes ?? Number.POSITIVE_INFINITY);
  response.end();
}

async function copy(
  chunks: AsyncIterator<Buffer>,
  response: ServerResponse,
  limitBytes: number,
): Promise<void> {
  let left = limitBytes;
  for (let next = await chunks.next(); next.done !== true && left > 0; next = await chunks.next()) {
    if (response.destroyed) break;
    if (!response.headersSent) response.writeHead(200, { "content-type": "text/plain" });
    const part = next.value.subarray(0, left);
    left -= part.length;
    if (!response.write(part)) await Promise.race([once(response, "drain"), once(response, "close")]);
  }
  await chunks.return?.();
  if (!response.headersSent) response.writeHead(200, { "content-type": "text/plain" });
}

const DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container";

export function chooseContainer(pod: KubeObject, asked: string): string {
  const names = (key: string): string[] =>
    listAt(pod, "spec", key).map((container) => textAt(container, "name") ?? "");
  const [main, init] = [names("containers"), names("initContainers")];
  const name = nameOf(pod);
  if (asked !== "") {
    if ([...main, ...init, ...names("ephemeralContainers")].includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${name}`);
  }
  const [only] = main;
  if (main.length === 1 && only !== undefined) return only;
  const preferred = textAt(pod, "metadata", "annotations", DEFAULT_CONTAINER);
  if (preferred !== undefined && main.includes(preferred)) return preferred;
  const inits = init.length === 0 ? "" : ` or one of the init containers: [${init.join(" ")}]`;
  throw badRequest(
    `a container name must be specified for pod ${name}, choose one of: [${main.join(" ")}]${inits}`,
  );
}

function logOptions(query: URLSearchParams, signal: AbortSignal): PodLogOptions {
  return {
    follow: query.get("follow") === "true",
    previous: query.get("previous") === "true",
    timestamps: query.get("timestamps") === "true",
    tailLines: wholeNumber(query, "tailLines"),
    limitBytes: wholeNumber(query, "limitBytes"),
    sinceSeconds: wholeNumber(query, "sinceSeconds"),
    sinceTime: query.get("sinceTime") ?? undefined,
    signal,
  };
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  if (/^\d{1,12}$/.test(text)) return Number(text);
  throw new Refusal(
    422,
    "Invalid",
    `PodLogOptions "" is invalid: ${name}: Invalid value: ${JSON.stringify(text.slice(0, 40))}: must be a whole number`,
  );
}
