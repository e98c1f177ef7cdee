/** Sends spans to a collector: a cluster of the waypoint's settings, reached as every endpoint is. */

import { type ClientConnection, HeaderFields, type HttpFault, type ResponseReceiver } from "@meltemi/http";
import type { LiveCluster, PostSpans, RequestContext } from "@meltemi/l7";
import type { Ip } from "@meltemi/model";
import { type Clock, MeshError, type Timer } from "@meltemi/runtime";

/** Spans are no reason to keep anything for long: a slow collector loses them. */
const TIMEOUT_MS = 10_000;

export interface PostSpansDeps {
  readonly clock: Clock;
  readonly cluster: (name: string) => LiveCluster | undefined;
}

export function createPostSpans(deps: PostSpansDeps): PostSpans {
  return (name, path, body) => {
    const cluster = deps.cluster(name);
    if (cluster === undefined)
      return Promise.reject(new MeshError("NOT_FOUND", `post spans: no cluster ${name} in the settings`));
    const bytes = Buffer.from(body);
    const context = contextOf(cluster, path, bytes.length);
    const choice = cluster.choose(context, [], false);
    if (choice.kind === "none")
      return Promise.reject(new MeshError("UNAVAILABLE", `post spans: no healthy upstream of ${name}`));
    return new Promise((resolve, reject) => {
      const post = new Post(context.request, bytes, resolve, (why) =>
        reject(new MeshError("UNAVAILABLE", `post spans to ${name}: ${why}`)),
      );
      const pool = choice.endpoint.poolFor("HTTP/1.1");
      const send = (connection: ClientConnection): void => {
        post.send(connection);
        pool.sent(connection);
      };
      const ready = pool.take();
      if (ready !== undefined) send(ready);
      else if (!pool.wait({ onConnection: send, onConnectFailed: ({ detail }) => post.fail(detail) }))
        post.fail("too many requests wait for a connection");
      post.deadline = deps.clock.after(TIMEOUT_MS, () => post.abort(`no answer within ${TIMEOUT_MS} ms`));
    });
  };
}

/** One exchange, of which only the status is of interest. */
class Post implements ResponseReceiver {
  readonly #head: RequestContext["request"];
  readonly #body: Uint8Array;
  readonly #resolve: (status: number) => void;
  readonly #reject: (why: string) => void;
  #exchange: ReturnType<ClientConnection["send"]> | undefined;
  #status = 0;
  #over = false;
  deadline: Timer | undefined;

  constructor(
    head: RequestContext["request"],
    body: Uint8Array,
    resolve: (status: number) => void,
    reject: (why: string) => void,
  ) {
    this.#head = head;
    this.#body = body;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  send(connection: ClientConnection): void {
    const exchange = connection.send(this.#head, false, this);
    if (this.#over) {
      exchange.abort("timeout");
      return;
    }
    this.#exchange = exchange;
    exchange.write(this.#body, false);
    exchange.end();
  }

  onInformational(): void {}

  onResponse({ status }: { readonly status: number }, ended: boolean): void {
    this.#status = status;
    if (ended) this.#succeed();
  }

  onData(): void {}

  onEnd(): void {
    this.#succeed();
  }

  onWritable(): void {}

  onFault(fault: HttpFault): void {
    this.fail(fault.detail);
  }

  fail(why: string): void {
    if (this.#over) return;
    this.#finish();
    this.#reject(why);
  }

  abort(why: string): void {
    if (this.#over) return;
    this.#exchange?.abort("timeout");
    this.fail(why);
  }

  #succeed(): void {
    if (this.#over) return;
    this.#finish();
    this.#resolve(this.#status);
  }

  #finish(): void {
    this.#over = true;
    this.deadline?.cancel();
  }
}

function contextOf({ config }: LiveCluster, path: string, bytes: number): RequestContext {
  const nowhere = "0.0.0.0" as Ip;
  return {
    request: {
      version: "HTTP/1.1",
      method: "POST",
      scheme: "http",
      authority: `${config.service.hostname}:${config.port}`,
      path,
      headers: HeaderFields.of(["content-type", "application/json"], ["content-length", String(bytes)]),
      expectsContinue: false,
    },
    caller: { ip: nowhere, port: 0, identity: undefined, workload: undefined, labels: {} },
    destination: { ip: nowhere, port: config.port },
    serverName: undefined,
    path,
    token: undefined,
    metadata: new Map(),
  };
}
