/** One repository of a registry, as much of it as a push needs (OCI distribution specification 1.1). HTTPS only. */

import { setTimeout as wait } from "node:timers/promises";
import { parseChallenge } from "./challenge.ts";
import type { Credentials } from "./credentials.ts";
import type { Repository } from "./reference.ts";

export interface Registry {
  hasBlob(digest: string): Promise<boolean>;
  /** @param from another repository of this registry that may have it already */
  putBlob(digest: string, content: Uint8Array, from: string | undefined): Promise<void>;
  putManifest(reference: string, mediaType: string, content: Uint8Array): Promise<void>;
}

/** Node has 41 MB, and some pushes go through a slow line. */
const REQUEST_TIMEOUT_MS = 600_000;
/** A registry that restarts, or says 429, is back after seconds. */
const ATTEMPTS = 4;
const FIRST_WAIT_MS = 500;
const SHOWN_BYTES = 500;

interface Call {
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export function openRegistry(repository: Repository, credentials: Credentials | undefined): Registry {
  const base = new URL(`https://${repository.host}/v2/${repository.path}/`);
  const send = authorised(base, credentials);
  return {
    async hasBlob(digest) {
      const url = new URL(`blobs/${digest}`, base);
      const response = await send({ method: "HEAD", url });
      if (response.status === 404) return false;
      await expectStatus(response, [200], "HEAD", url);
      return true;
    },
    async putBlob(digest, content, from) {
      const start = new URL("blobs/uploads/", base);
      if (from !== undefined) start.search = new URLSearchParams({ mount: digest, from }).toString();
      const started = await send({ method: "POST", url: start, headers: { "content-length": "0" } });
      await expectStatus(started, [201, 202], "POST", start);
      // Mounted from the other repository.
      if (started.status === 201) return;
      const location = URL.parse(started.headers.get("location") ?? "", start.href);
      if (location?.protocol !== "https:")
        throw new Error(`POST ${start}: expected a place to upload to, by https`);
      location.searchParams.append("digest", digest);
      const headers = { "content-type": "application/octet-stream" };
      const response = await send({ method: "PUT", url: location, headers, body: content });
      await expectStatus(response, [201], "PUT", location);
    },
    async putManifest(reference, mediaType, content) {
      const url = new URL(`manifests/${reference}`, base);
      const response = await send({
        method: "PUT",
        url,
        headers: { "content-type": mediaType },
        body: content,
      });
      await expectStatus(response, [201], "PUT", url);
    },
  };
}

/** Sends with what the registry last asked for, and once more when it asks. Only the registry itself is told. */
function authorised(base: URL, credentials: Credentials | undefined): (call: Call) => Promise<Response> {
  let authorization: string | undefined;
  return async (call) => {
    const own = call.url.origin === base.origin;
    const first = await sendWithRetries(call, own ? authorization : undefined);
    if (first.status !== 401 || !own) return first;
    await first.body?.cancel();
    authorization = await answerChallenge(first, credentials, call.url);
    return await sendWithRetries(call, authorization);
  };
}

async function answerChallenge(
  response: Response,
  credentials: Credentials | undefined,
  url: URL,
): Promise<string> {
  const challenge = parseChallenge(response.headers.get("www-authenticate"));
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64")}`;
  switch (challenge.kind) {
    case "basic":
      if (basic === undefined) throw new Error(`${url.host} wants credentials: docker login ${url.host}`);
      return basic;
    case "bearer": {
      const realm = new URL(challenge.realm);
      if (challenge.service !== undefined) realm.searchParams.set("service", challenge.service);
      if (challenge.scope !== undefined) realm.searchParams.set("scope", challenge.scope);
      const answer = await sendWithRetries({ method: "GET", url: realm }, basic);
      await expectStatus(answer, [200], "GET", realm);
      const { token, access_token } = (await answer.json()) as { token?: unknown; access_token?: unknown };
      const value = token ?? access_token;
      if (typeof value !== "string") throw new Error(`GET ${realm}: expected a token`);
      return `Bearer ${value}`;
    }
    case "unknown":
      throw new Error(`${url.host} refuses without saying what it wants: ${challenge.why}`);
    default:
      return challenge satisfies never;
  }
}

/** A line that breaks may hold the next time; a registry whose certificate nobody vouches for stays a stranger. */
const PASSING_FAILURES: ReadonlySet<unknown> = new Set([
  "EAI_AGAIN",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_SOCKET",
]);

async function sendWithRetries(call: Call, authorization: string | undefined): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const outcome = await sendOnce(call, authorization);
    const { response } = outcome;
    if (response !== undefined && response.status !== 429 && response.status < 500) return response;
    if (response !== undefined && attempt === ATTEMPTS) return response;
    if (response === undefined && (attempt === ATTEMPTS || !outcome.passing)) throw outcome.error;
    await response?.body?.cancel();
    await wait(FIRST_WAIT_MS * 2 ** (attempt - 1));
  }
}

type Outcome =
  | { readonly response: Response }
  | { readonly response?: undefined; readonly error: Error; readonly passing: boolean };

async function sendOnce(
  { method, url, headers, body }: Call,
  authorization: string | undefined,
): Promise<Outcome> {
  try {
    const response = await fetch(url, {
      method,
      headers: { ...headers, ...(authorization !== undefined && { authorization }) },
      ...(body !== undefined && { body: Buffer.from(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    return { response };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    return {
      error: new Error(`${method} ${url.origin}${url.pathname}: ${cause.message}`, { cause }),
      passing: PASSING_FAILURES.has((cause as NodeJS.ErrnoException).code),
    };
  }
}

async function expectStatus(
  response: Response,
  wanted: readonly number[],
  method: string,
  url: URL,
): Promise<void> {
  if (wanted.includes(response.status)) return;
  const said = (await response.text()).slice(0, SHOWN_BYTES).trim();
  throw new Error(
    `${method} ${url.origin}${url.pathname}: expected HTTP ${wanted.join(" or ")}, got ${response.status}${said === "" ? "" : `: ${said}`}`,
  );
}
