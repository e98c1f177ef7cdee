/** Fetches a small JSON document from a URL that a user gave: bounded in size, time and hops, and never from a forbidden address. */

import { lookup as resolveName } from "node:dns";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { type Cidr, parseIp } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { isForbiddenAddress } from "./outbound-guard.ts";

export interface FetchOptions {
  readonly timeoutMs: number;
  /** Addresses that are refused beside those that always are. */
  readonly blocked: readonly Cidr[];
  /** PEM roots beside the machine's. */
  readonly extraRoots?: string;
}

/** A set of a hundred RSA keys with certificate chains is a tenth of this. */
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 3;

/** Rejects with INPUT_INVALID for a URL or an answer that cannot be, UNAVAILABLE for none. */
export async function fetchJson(url: string, options: FetchOptions): Promise<unknown> {
  // One limit for all hops and the body together: a slow server must not hold a place for ever.
  const signal = AbortSignal.timeout(options.timeoutMs);
  let target = parseUrl(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await get(target, options, signal);
    const status = answer.statusCode ?? 0;
    const location = answer.headers.location;
    if (status >= 300 && status < 400 && location !== undefined) {
      answer.destroy();
      target = parseUrl(location, target);
      continue;
    }
    if (status !== 200) {
      answer.destroy();
      throw new MeshError("UNAVAILABLE", `fetch ${url}: expected status 200, got ${status}`);
    }
    return parseBody(url, await readBody(url, answer));
  }
  throw new MeshError("UNAVAILABLE", `fetch ${url}: expected at most ${MAX_REDIRECTS} redirects`);
}

function parseUrl(text: string, base?: URL): URL {
  const url = URL.canParse(text, base?.href) ? new URL(text, base) : undefined;
  // What was fetched over TLS must not be replaced by what anyone on the way may write.
  const isDowngrade = base?.protocol === "https:" && url?.protocol === "http:";
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || isDowngrade)
    throw new MeshError("INPUT_INVALID", `fetch ${text.slice(0, 256)}: expected an http or https URL`);
  return url;
}

function get(url: URL, options: FetchOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // A literal is never looked up.
  if (isIP(host) !== 0 && isForbidden(host, options.blocked))
    return Promise.reject(forbidden(url.href, host));
  const request = url.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      {
        signal,
        agent: false,
        lookup: guardedLookup(options.blocked),
        headers: { accept: "application/json" },
        ...(options.extraRoots !== undefined && { ca: options.extraRoots }),
      },
      resolve,
    );
    call.on("error", (cause) =>
      reject(new MeshError("UNAVAILABLE", `fetch ${url.href}: ${cause.message}`, { cause })),
    );
    call.end();
  });
}

/** The address that is checked is the one that is dialled: a name cannot mean one thing here and another there. */
function guardedLookup(blocked: readonly Cidr[]): LookupFunction {
  return (hostname, options, callback) => {
    resolveName(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) {
        callback(error, "");
        return;
      }
      const bad = addresses.find(({ address }) => isForbidden(address, blocked));
      const first = addresses[0];
      if (bad !== undefined || first === undefined) callback(forbidden(hostname, bad?.address ?? "none"), "");
      else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function isForbidden(address: string, blocked: readonly Cidr[]): boolean {
  const ip = parseIp(address);
  return ip === undefined || isForbiddenAddress(ip, blocked);
}

function forbidden(what: string, address: string): MeshError {
  return new MeshError("INPUT_INVALID", `fetch ${what}: address ${address} is not one that may be asked`);
}

async function readBody(url: string, answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) {
      answer.destroy();
      throw new MeshError("INPUT_INVALID", `fetch ${url}: expected at most ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseBody(url: string, body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw new MeshError("INPUT_INVALID", `fetch ${url}: expected JSON, got ${body.length} other bytes`);
  }
}
