/** Asks the CA for certificates over gRPC (reference: protocol §3.7, §4.1). One call, one fresh key, one checked answer. */

import { readFile } from "node:fs/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ChannelOptions, Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { formatIdentity, type Identity } from "@meltemi/model";
import { type Clock, MeshError } from "@meltemi/runtime";
import { ca } from "@meltemi/wire";
import { createCertificateSigningRequest, type NewRequest } from "./certificate-signing-request.ts";
import { readCertificateAnswer, type WorkloadCertificate } from "./workload-certificate.ts";

const METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate";
/** Certificates and a root bundle; a mesh with fifty roots stays under 100 KiB. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A projected token is about 1 KiB; proxies and the CA refuse headers beyond 8 KiB anyway. */
const MAX_TOKEN_BYTES = 8 * 1024;
/** Peers' words in our errors and logs. */
const MAX_DETAIL_CHARACTERS = 256;

/** Where a text comes from. Files are read again for every request, since the kubelet replaces them. */
export type TextSource =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "literal"; readonly text: string };

export interface CertificateClientOptions {
  /** `https://host:port`. `http` is for a CA on this machine's loopback only: the request carries a token. */
  readonly address: string;
  /** PEM of the roots that the CA's own server certificate must chain to; undefined for the machine's roots. */
  readonly roots?: TextSource;
  /** Name to expect in the CA's server certificate instead of the address's host (`ALT_CA_HOSTNAME`). */
  readonly serverName?: string;
  readonly token: TextSource;
  readonly clusterId: string;
  /** Further request headers (`CA_HEADER_*`). */
  readonly headers?: ReadonlyMap<string, string>;
  /** `SECRET_TTL`; the CA may give less. */
  readonly ttlSeconds: number;
  /** True in a node's proxy, which asks on behalf of its pods; false when the token is the workload's own. */
  readonly impersonate: boolean;
  /** For one request, connecting included. Default 10 s. */
  readonly deadlineMs?: number;
}

export interface CertificateClient extends Disposable {
  /** A new key and certificate for `identity`. Rejects with a MeshError; the caller decides when to try again. */
  fetch(identity: Identity, signal?: AbortSignal): Promise<WorkloadCertificate>;
}

export function createCertificateClient(
  options: CertificateClientOptions,
  deps: { readonly clock: Clock },
): CertificateClient {
  const endpoint = readEndpoint(options.address);
  let channel: { readonly rootsPem: string; readonly client: Client } | undefined;
  /** The channel of the moment; a changed root file makes a new one, and calls under way finish on the old. */
  const connected = async (): Promise<Client> => {
    const rootsPem = options.roots === undefined ? "" : await readRoots(options.roots);
    if (channel?.rootsPem !== rootsPem) {
      channel?.client.close();
      channel = { rootsPem, client: openChannel(endpoint, rootsPem, options.serverName) };
    }
    return channel.client;
  };
  return {
    async fetch(identity, signal) {
      const metadata = await requestMetadata(options);
      const client = await connected();
      signal?.throwIfAborted();
      const request = createCertificateSigningRequest(identity);
      const certChain = await call(client, identity, request, metadata, options, signal);
      const { privateKey, publicKeySpki } = request;
      const nowMs = deps.clock.nowMs();
      const answer = readCertificateAnswer({ identity, privateKey, publicKeySpki, certChain, nowMs });
      if (answer.kind === "ok") return answer.value;
      throw new MeshError("IDENTITY_INVALID", `${action(identity)}: ${answer.why}`);
    },
    [Symbol.dispose]() {
      channel?.client.close();
      channel = undefined;
    },
  };
}

interface Endpoint {
  readonly target: string;
  readonly secure: boolean;
}

function readEndpoint(address: string): Endpoint {
  const url = URL.parse(address);
  const loopback = url !== null && /^(?:127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname);
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && loopback)))
    throw new MeshError(
      "CONFIG_INVALID",
      `CA address ${JSON.stringify(address)}: expected https://host:port (http only to this machine)`,
    );
  const secure = url.protocol === "https:";
  return { target: `${url.hostname}:${url.port || (secure ? 443 : 80)}`, secure };
}

function openChannel(endpoint: Endpoint, rootsPem: string, serverName: string | undefined): Client {
  const channelOptions: ChannelOptions = {
    "grpc.max_receive_message_length": MAX_ANSWER_BYTES,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.max_reconnect_backoff_ms": 15_000,
    // The certificate schedule decides about retries; two layers of them would multiply.
    "grpc.enable_retries": 0,
    // Two clients of one process must not share a channel: roots of one would outlive a change.
    "grpc.use_local_subchannel_pool": 1,
    ...(serverName !== undefined && { "grpc.ssl_target_name_override": serverName }),
  };
  const secret = endpoint.secure
    ? credentials.createSsl(rootsPem === "" ? null : Buffer.from(rootsPem))
    : credentials.createInsecure();
  return new Client(endpoint.target, secret, channelOptions);
}

async function requestMetadata(options: CertificateClientOptions): Promise<Metadata> {
  const token = (await readText(options.token, "CA token")).trim();
  if (token === "" || token.length > MAX_TOKEN_BYTES || !/^[\x21-\x7e]+$/.test(token))
    throw new MeshError(
      "CONFIG_INVALID",
      `read CA token ${sourceName(options.token)}: expected one line of at most ${MAX_TOKEN_BYTES} printable characters`,
    );
  const metadata = new Metadata();
  for (const [name, value] of options.headers ?? []) metadata.set(name.toLowerCase(), value);
  metadata.set("authorization", `Bearer ${token}`);
  metadata.set("clusterid", options.clusterId);
  return metadata;
}

function call(
  client: Client,
  identity: Identity,
  request: NewRequest,
  metadata: Metadata,
  options: CertificateClientOptions,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const message = create(ca.IstioCertificateRequestSchema, {
    csr: request.pem,
    validityDuration: BigInt(Math.round(options.ttlSeconds)),
    ...(options.impersonate && { metadata: { ImpersonatedIdentity: formatIdentity(identity) } }),
  });
  return new Promise((resolve, reject) => {
    const running = client.makeUnaryRequest(
      METHOD,
      (value: typeof message) => Buffer.from(toBinary(ca.IstioCertificateRequestSchema, value)),
      (bytes: Buffer) => fromBinary(ca.IstioCertificateResponseSchema, bytes).certChain,
      message,
      metadata,
      // grpc-js compares a deadline with the machine's clock, whatever clock the caller has.
      { deadline: new Date(Date.now() + (options.deadlineMs ?? 10_000)) },
      (error, certChain) => {
        signal?.removeEventListener("abort", cancel);
        if (error === null) resolve(certChain ?? []);
        else reject(callError(identity, error));
      },
    );
    const cancel = (): void => running.cancel();
    signal?.addEventListener("abort", cancel, { once: true });
  });
}

function callError(identity: Identity, error: ServiceError): MeshError {
  const name = status[error.code] ?? String(error.code);
  const detail = error.details.slice(0, MAX_DETAIL_CHARACTERS);
  const text = `${action(identity)}: CA answered ${name}: ${detail}`;
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return new MeshError("TIMEOUT", text);
    case status.CANCELLED:
      return new MeshError("ABORTED", text);
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
    case status.INVALID_ARGUMENT:
      return new MeshError("PEER_REFUSED", text, { details: { status: name } });
    default:
      return new MeshError("UNAVAILABLE", text, { details: { status: name } });
  }
}

/** Never empty: gRPC takes no roots for the machine's own, and any public CA could then answer in the mesh's name. */
async function readRoots(source: TextSource): Promise<string> {
  const pem = await readText(source, "CA root certificates");
  if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  throw new MeshError(
    "UNAVAILABLE",
    `read CA root certificates ${sourceName(source)}: expected at least one PEM certificate`,
  );
}

async function readText(source: TextSource, what: string): Promise<string> {
  if (source.kind === "literal") return source.text;
  try {
    return await readFile(source.path, "utf8");
  } catch (cause) {
    throw new MeshError("UNAVAILABLE", `read ${what} from ${source.path}`, { cause });
  }
}

function sourceName(source: TextSource): string {
  return source.kind === "file" ? `from ${source.path}` : "given as a literal";
}

function action(identity: Identity): string {
  return `fetch certificate for ${formatIdentity(identity)}`;
}
