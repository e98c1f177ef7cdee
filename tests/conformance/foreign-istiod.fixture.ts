/**
 * A stand-in for istiod, written from the protocol alone (reference: protocol §3.1, §3.8, §4.3): grpc-js and the messages that come
 * from Istio's proto files. What it says is up to the test; without other word it answers as istiod would.
 */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { eventually } from "@meltemi/testkit";
import { authorization, ca, discovery, workload } from "@meltemi/wire";
import type { ForeignAuthority } from "./foreign-authority.fixture.ts";

export const ADDRESS = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION = "type.googleapis.com/istio.security.Authorization";

type Call = ServerDuplexStream<discovery.DeltaDiscoveryRequest, Buffer>;
type WorkloadFields = MessageInitShape<typeof workload.WorkloadSchema>;
type ServiceFields = MessageInitShape<typeof workload.ServiceSchema>;
type PolicyFields = MessageInitShape<typeof authorization.AuthorizationSchema>;

/** One entry of `DeltaDiscoveryResponse.resources`. */
export interface WireResource {
  readonly name: string;
  readonly version?: string;
  readonly aliases?: string[];
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export function workloadResource(
  fields: WorkloadFields,
  version = "w1",
  aliases: string[] = [],
): WireResource {
  const message = create(workload.WorkloadSchema, fields);
  const value = toBinary(
    workload.AddressSchema,
    create(workload.AddressSchema, { type: { case: "workload", value: message } }),
  );
  return { name: message.uid, version, aliases, typeUrl: ADDRESS, value };
}

export function serviceResource(fields: ServiceFields, version = "s1", aliases: string[] = []): WireResource {
  const message = create(workload.ServiceSchema, fields);
  const value = toBinary(
    workload.AddressSchema,
    create(workload.AddressSchema, { type: { case: "service", value: message } }),
  );
  return { name: `${message.namespace}/${message.hostname}`, version, aliases, typeUrl: ADDRESS, value };
}

/** istiod gives policies no version. */
export function policyResource(fields: PolicyFields): WireResource {
  const message = create(authorization.AuthorizationSchema, fields);
  const value = toBinary(authorization.AuthorizationSchema, message);
  return { name: `${message.namespace}/${message.name}`, typeUrl: AUTHORIZATION, value };
}

/** One delta stream that a client opened. */
export interface ForeignStream {
  readonly metadata: Metadata;
  readonly requests: discovery.DeltaDiscoveryRequest[];
  readonly call: Call;
  /** False once the client or the test has ended it. */
  open: boolean;
  /** Returns the nonce. */
  respond(typeUrl: string, resources: readonly WireResource[], removed?: readonly string[]): string;
  /** Waits for the request that answers `nonce`. */
  answer(nonce: string): Promise<discovery.DeltaDiscoveryRequest>;
  /** Waits for the first request of the type. */
  initial(typeUrl: string): Promise<discovery.DeltaDiscoveryRequest>;
}

export interface CertificateCall {
  readonly request: ca.IstioCertificateRequest;
  readonly metadata: Metadata;
}
export type CertificateAnswer =
  | { readonly chain: readonly string[] }
  | { readonly code: number; readonly details: string };

export interface ForeignIstiod extends AsyncDisposable {
  readonly port: number;
  readonly streams: readonly ForeignStream[];
  readonly certificateCalls: readonly CertificateCall[];
  /** What new streams are told at once, per type. Streams that are open are told by `push`. */
  readonly known: Map<string, WireResource>;
  /** False: first requests are left to the test. */
  answersFirst: boolean;
  /** Replaced by tests that want bad answers. */
  certify: (call: CertificateCall) => CertificateAnswer | Promise<CertificateAnswer>;
  /** Puts and sends to the streams that asked for the type. */
  push(...resources: readonly WireResource[]): void;
  remove(typeUrl: string, name: string): void;
  /** Waits for the `count`-th stream that was ever opened, from 1. */
  stream(count: number): Promise<ForeignStream>;
  /** Listens again on the same port, with another certificate authority's server certificate. */
  restart(authority: ForeignAuthority): Promise<void>;
}

export const ISTIOD_HOSTNAME = "istiod.istio-system.svc";

/** `workloads`: who signs what ztunnel asks for. `identity`: of a caller who names none, as the token would say. */
export async function startForeignIstiod(
  authority: ForeignAuthority,
  identity = "spiffe://cluster.local/ns/default/sa/client",
): Promise<ForeignIstiod> {
  const streams: ForeignStream[] = [];
  const certificateCalls: CertificateCall[] = [];
  const known = new Map<string, WireResource>();
  const ofType = (typeUrl: string): WireResource[] =>
    [...known.values()].filter((resource) => resource.typeUrl === typeUrl);
  const serve = (call: Call): void => {
    const stream = createStream(call);
    streams.push(stream);
    call.on("data", (request: discovery.DeltaDiscoveryRequest) => {
      const first = !stream.requests.some(({ typeUrl }) => typeUrl === request.typeUrl);
      stream.requests.push(request);
      if (first && istiod.answersFirst) stream.respond(request.typeUrl, ofType(request.typeUrl));
    });
  };
  const certify = async (
    { request, metadata }: ServerUnaryCall<ca.IstioCertificateRequest, unknown>,
    done: sendUnaryData<unknown>,
  ): Promise<void> => {
    certificateCalls.push({ request, metadata });
    const answer = await istiod.certify({ request, metadata });
    if ("code" in answer) done(answer);
    else done(null, create(ca.IstioCertificateResponseSchema, { certChain: [...answer.chain] }));
  };
  const listen = async (with_: ForeignAuthority, port: number): Promise<[Server, number]> => {
    const made = new Server();
    made.addService(METHODS, { delta: serve, createCertificate: certify });
    const { key, cert } = with_.issue(`DNS:${ISTIOD_HOSTNAME}`, { uses: "serverAuth" });
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
    const secure = ServerCredentials.createSsl(null, [pair], false);
    return await new Promise((resolve, reject) =>
      made.bindAsync(`127.0.0.1:${port}`, secure, (error, bound) =>
        error === null ? resolve([made, bound]) : reject(error),
      ),
    );
  };
  let [server, port] = await listen(authority, 0);
  const istiod: ForeignIstiod = {
    port,
    streams,
    certificateCalls,
    known,
    answersFirst: true,
    certify: ({ request }) => {
      const wanted = request.metadata?.["ImpersonatedIdentity"];
      const name = typeof wanted === "string" ? wanted : identity;
      return { chain: chainOf(authority, authority.sign(request.csr, `URI:${name}`)) };
    },
    push(...resources) {
      for (const resource of resources) known.set(`${resource.typeUrl} ${resource.name}`, resource);
      for (const stream of streams.filter(({ open }) => open))
        for (const typeUrl of new Set(resources.map((resource) => resource.typeUrl)))
          stream.respond(
            typeUrl,
            resources.filter((resource) => resource.typeUrl === typeUrl),
          );
    },
    remove(typeUrl, name) {
      known.delete(`${typeUrl} ${name}`);
      for (const stream of streams.filter(({ open }) => open)) stream.respond(typeUrl, [], [name]);
    },
    stream: (count) => eventually(() => streams[count - 1]),
    async restart(with_) {
      server.forceShutdown();
      [server] = await listen(with_, port);
    },
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
  return istiod;
}

/** Leaf, intermediates one to a string, the root last. */
export function chainOf(authority: ForeignAuthority, leaf: string): string[] {
  return [leaf, authority.intermediatePem, authority.rootPem];
}

let nonces = 0;

function createStream(call: Call): ForeignStream {
  const requests: discovery.DeltaDiscoveryRequest[] = [];
  const stream: ForeignStream = {
    metadata: call.metadata,
    requests,
    call,
    open: true,
    respond(typeUrl, resources, removed = []) {
      const nonce = `nonce-${++nonces}`;
      const response = create(discovery.DeltaDiscoveryResponseSchema, {
        typeUrl,
        nonce,
        removedResources: [...removed],
        resources: resources.map(({ name, version = "", aliases = [], ...content }) => ({
          name,
          version,
          aliases,
          resource: { typeUrl: content.typeUrl, value: content.value },
        })),
      });
      call.write(Buffer.from(toBinary(discovery.DeltaDiscoveryResponseSchema, response)));
      return nonce;
    },
    answer: (nonce) => eventually(() => requests.find(({ responseNonce }) => responseNonce === nonce)),
    initial: (typeUrl) => eventually(() => requests.find((request) => request.typeUrl === typeUrl)),
  };
  const end = (): void => {
    stream.open = false;
  };
  call.on("error", end).on("close", end).on("cancelled", end);
  call.on("end", () => {
    end();
    call.end();
  });
  return stream;
}

const asIs = (bytes: Buffer): Buffer => bytes;

const METHODS = {
  delta: {
    path: "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    requestStream: true as const,
    responseStream: true as const,
    requestDeserialize: (bytes: Buffer) => fromBinary(discovery.DeltaDiscoveryRequestSchema, bytes),
    requestSerialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
  createCertificate: {
    path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    requestStream: false as const,
    responseStream: false as const,
    requestDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateRequestSchema, bytes),
    requestSerialize: asIs,
    responseSerialize: (value: ca.IstioCertificateResponse) =>
      Buffer.from(toBinary(ca.IstioCertificateResponseSchema, value)),
    responseDeserialize: asIs,
  },
};
