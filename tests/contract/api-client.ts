/** A plain client of a Kubernetes API server: what goes over the wire is what a case says, nothing is retried or hidden. */

import { execFile } from "node:child_process";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";

export interface ApiAccess {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** PEM of the authority that the server's certificate is of. */
  readonly ca: string;
  /** The administrator's. */
  readonly token: string;
  /** Path of a kubeconfig of the administrator. */
  readonly kubeconfig: string;
}

export interface Asked {
  /** Text is sent as it is, everything else as JSON. */
  readonly body?: unknown;
  /** Default: application/json. */
  readonly type?: string;
  readonly accept?: string;
  /** Default: the administrator's; empty for none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly code: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** Parsed, or an empty object for what is no JSON. */
  readonly body: unknown;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

export interface OpenWatch extends Disposable {
  /** The next event; undefined when the server ended the watch. Rejects when nothing comes in time. */
  next(): Promise<WatchEvent | undefined>;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ApiClient {
  readonly access: ApiAccess;
  call(method: string, path: string, asked?: Asked): Promise<Answer>;
  /** Rejects when the watch is refused. */
  watch(path: string): Promise<OpenWatch>;
  /** The machine's real kubectl. */
  kubectl(words: readonly string[], input?: string): Promise<Ran>;
}

/** Two cores that build something beside the tests are slow; what never comes is noticed all the same. */
const EVENT_DEADLINE_MS = 20_000;
const COMMAND_TIMEOUT_MS = 60_000;

export function createApiClient(access: ApiAccess): ApiClient {
  const { hostname, port } = new URL(access.url);

  function send(method: string, path: string, asked: Asked): Promise<IncomingMessage> {
    const { body, token = access.token, type = "application/json" } = asked;
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const headers = {
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
      ...(text === undefined
        ? {}
        : { "content-type": type, "content-length": String(Buffer.byteLength(text)) }),
      ...(asked.accept === undefined ? {} : { accept: asked.accept }),
      "user-agent": "contract/1",
      ...asked.headers,
    };
    return new Promise((resolve, reject) => {
      const sent = request({ hostname, port, ca: access.ca, method, path, headers }, resolve);
      sent.on("error", reject);
      sent.end(text);
    });
  }

  return {
    access,
    async call(method, path, asked = {}) {
      const answer = await send(method, path, asked);
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      return { code: answer.statusCode ?? 0, headers: answer.headers, text, body: parsed(text) };
    },
    async watch(path) {
      const answer = await send("GET", path, {});
      if (answer.statusCode !== 200) throw new Error(`watch ${path}: HTTP ${answer.statusCode}`);
      return readEvents(answer);
    },
    kubectl(words, input = "") {
      return new Promise((resolve) => {
        const env = { ...process.env, KUBECONFIG: access.kubeconfig };
        const child = execFile(
          "kubectl",
          [...words],
          { env, timeout: COMMAND_TIMEOUT_MS },
          (error, stdout, stderr) =>
            resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
        );
        child.stdin?.end(input);
      });
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {};
  }
}

function readEvents(answer: IncomingMessage): OpenWatch {
  const events: WatchEvent[] = [];
  let rest = "";
  let ended = false;
  let changed = Promise.withResolvers<void>();
  const wake = (): void => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  answer.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) events.push(JSON.parse(line) as WatchEvent);
    wake();
  });
  for (const last of ["end", "error", "close"])
    answer.on(last, () => {
      ended = true;
      wake();
    });
  return {
    async next() {
      const signal = AbortSignal.timeout(EVENT_DEADLINE_MS);
      const late = new Promise<never>((_, reject) =>
        signal.addEventListener("abort", () => reject(new Error("watch: no event came in time"))),
      );
      while (events.length === 0 && !ended) await Promise.race([changed.promise, late]);
      late.catch(() => undefined);
      return events.shift();
    },
    [Symbol.dispose]: () => void answer.destroy(),
  };
}
