/** A registry over HTTPS as far as a push sees it (OCI distribution specification 1.1), with tokens, in memory. Refuses what a real one refuses. */

import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TestAuthority } from "@meltemi/testkit";

export interface RegistryFixture {
  readonly host: string;
  /** `repository@digest` → content. */
  readonly blobs: ReadonlyMap<string, Buffer>;
  /** `repository:tag` or `repository@digest` → manifest. */
  readonly manifests: ReadonlyMap<string, { readonly mediaType: string; readonly content: Buffer }>;
  /** `METHOD path` of every request, in order. */
  readonly requests: readonly string[];
  readonly uploads: () => number;
  readonly mounts: () => number;
  /** The next so many requests are answered with 503. */
  failNext(count: number): void;
  close(): void;
}

const digestOf = (content: Buffer): string => `sha256:${createHash("sha256").update(content).digest("hex")}`;

export async function startRegistry(
  authority: TestAuthority,
  password: string,
  kind: "bearer" | "basic",
): Promise<RegistryFixture> {
  const registry = new Registry(password, kind);
  const server = createServer(authority.serverPem("localhost"), (request, response) => {
    void registry.answer(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  registry.host = `localhost:${(server.address() as AddressInfo).port}`;
  registry.server = server;
  return registry;
}

class Registry implements RegistryFixture {
  host = "";
  server: Server | undefined;
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, { readonly mediaType: string; readonly content: Buffer }>();
  readonly requests: string[] = [];
  readonly #uploads = new Set<string>();
  readonly #tokens = new Map<string, string>();
  readonly #basic: string;
  readonly #kind: "bearer" | "basic";
  #uploaded = 0;
  #mounted = 0;
  #failures = 0;

  constructor(password: string, kind: "bearer" | "basic") {
    this.#basic = `Basic ${Buffer.from(`pusher:${password}`).toString("base64")}`;
    this.#kind = kind;
  }

  uploads = (): number => this.#uploaded;
  mounts = (): number => this.#mounted;
  failNext(count: number): void {
    this.#failures = count;
  }
  close(): void {
    this.server?.close();
    this.server?.closeAllConnections();
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", `https://${this.host}`);
    const method = request.method ?? "";
    this.requests.push(`${method} ${url.pathname}`);
    const body = await buffer(request);
    if (this.#failures > 0) {
      this.#failures -= 1;
      response.writeHead(503).end("starting");
      return;
    }
    if (url.pathname === "/token") return this.#giveToken(request, url, response);
    const [, repository = "", kind = "", rest = ""] =
      /^\/v2\/(.+)\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    const action = method === "GET" || method === "HEAD" ? "pull" : "push";
    if (!this.#isAllowed(request, repository, action)) return this.#challenge(repository, action, response);
    if (kind === "manifests") return this.#putManifest(request, repository, rest, body, response);
    if (method === "HEAD") response.writeHead(this.blobs.has(`${repository}@${rest}`) ? 200 : 404).end();
    else if (method === "POST") this.#startUpload(repository, url, response);
    else this.#finishUpload(repository, rest, url, body, response);
  }

  #isAllowed({ headers }: IncomingMessage, repository: string, action: string): boolean {
    if (this.#kind === "basic") return headers.authorization === this.#basic;
    const scope = this.#tokens.get(headers.authorization ?? "");
    return (
      scope === `repository:${repository}:pull,push` ||
      (action === "pull" && scope === `repository:${repository}:pull`)
    );
  }

  #challenge(repository: string, action: string, response: ServerResponse): void {
    const scope = `repository:${repository}:${action === "pull" ? "pull" : "pull,push"}`;
    const bearer = `Bearer realm="https://${this.host}/token",service="test",scope="${scope}"`;
    response
      .writeHead(401, { "www-authenticate": this.#kind === "basic" ? 'Basic realm="test"' : bearer })
      .end();
  }

  #giveToken({ headers }: IncomingMessage, url: URL, response: ServerResponse): void {
    if (headers.authorization !== this.#basic || url.searchParams.get("service") !== "test") {
      response.writeHead(401).end("wrong name or password");
      return;
    }
    const token = randomUUID();
    this.#tokens.set(`Bearer ${token}`, url.searchParams.get("scope") ?? "");
    response.end(JSON.stringify({ token }));
  }

  #startUpload(repository: string, url: URL, response: ServerResponse): void {
    const mount = url.searchParams.get("mount");
    const found = this.blobs.get(`${url.searchParams.get("from")}@${mount}`);
    if (found !== undefined) {
      this.#mounted += 1;
      this.blobs.set(`${repository}@${mount}`, found);
      response.writeHead(201).end();
      return;
    }
    const id = randomUUID();
    this.#uploads.add(id);
    // Relative and with a query of its own, as some registries have it.
    response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/${id}?state=a%3D` }).end();
  }

  #finishUpload(repository: string, rest: string, url: URL, body: Buffer, response: ServerResponse): void {
    const digest = url.searchParams.get("digest") ?? "";
    const known =
      this.#uploads.delete(rest.replace("uploads/", "")) && url.searchParams.get("state") === "a=";
    if (!known || digestOf(body) !== digest) {
      response.writeHead(400).end("DIGEST_INVALID");
      return;
    }
    this.#uploaded += 1;
    this.blobs.set(`${repository}@${digest}`, body);
    response.writeHead(201).end();
  }

  #putManifest(
    request: IncomingMessage,
    repository: string,
    reference: string,
    content: Buffer,
    response: ServerResponse,
  ): void {
    const manifest = JSON.parse(content.toString()) as {
      mediaType: string;
      config?: { digest: string };
      layers?: { digest: string }[];
      manifests?: { digest: string }[];
    };
    const blobs = [...(manifest.layers ?? []), ...(manifest.config ? [manifest.config] : [])];
    const whole =
      blobs.every(({ digest }) => this.blobs.has(`${repository}@${digest}`)) &&
      (manifest.manifests ?? []).every(({ digest }) => this.manifests.has(`${repository}@${digest}`));
    if (!whole || request.headers["content-type"] !== manifest.mediaType) {
      response.writeHead(400).end("MANIFEST_BLOB_UNKNOWN");
      return;
    }
    const entry = { mediaType: manifest.mediaType, content };
    this.manifests.set(`${repository}@${digestOf(content)}`, entry);
    if (!reference.startsWith("sha256:")) this.manifests.set(`${repository}:${reference}`, entry);
    response.writeHead(201).end();
  }
}
