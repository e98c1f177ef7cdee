/**
 * Istio's certificate service over gRPC for the two ztunnels of the l4 benchmark, on the given address and port. Says its root, and
 * certificates of the same authority for the other proxy. Whoever can reach it gets what he asks for: a benchmark's authority.
 */

import { randomBytes } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import { certificatePem, issueLeaf, readCertificateSigningRequest, writePem } from "@meltemi/identity";
import { createTestAuthority } from "@meltemi/testkit";
import { ca } from "@meltemi/wire";
import { CLIENT, type Credentials, credentials, SERVER } from "./credentials.ts";
import { AUTHORITY_NAME } from "./messages.ts";

export interface AuthorityStarted {
  readonly rootPem: string;
  readonly client: Credentials;
  readonly server: Credentials;
}

const HOUR_MS = 3_600_000;
const METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

const [address = "127.0.0.1", port = "0"] = process.argv.slice(2);
const authority = createTestAuthority();

function issue(csr: string, uri: string): string[] {
  const request = readCertificateSigningRequest(csr);
  if (request.kind === "bad") throw new TypeError(request.why);
  const nowMs = Date.now();
  const leaf = issueLeaf(
    authority.issuer,
    {
      publicKeySpki: request.value.publicKey.spki,
      names: { uris: [uri] },
      uses: ["serverAuth", "clientAuth"],
      notBeforeMs: nowMs - HOUR_MS,
      notAfterMs: nowMs + HOUR_MS,
    },
    randomBytes,
  );
  return [writePem(leaf, "CERTIFICATE"), certificatePem(authority.root.certificate)];
}

const server = new Server();
server.addService(
  {
    createCertificate: {
      path: METHOD,
      requestStream: false,
      responseStream: false,
      requestDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateRequestSchema, bytes),
      requestSerialize: () => Buffer.alloc(0),
      responseSerialize: (value: ca.IstioCertificateResponse) =>
        Buffer.from(toBinary(ca.IstioCertificateResponseSchema, value)),
      responseDeserialize: () => undefined,
    },
  },
  {
    createCertificate: (
      call: { readonly request: ca.IstioCertificateRequest },
      done: sendUnaryData<ca.IstioCertificateResponse>,
    ) => {
      const who = call.request.metadata?.["ImpersonatedIdentity"];
      if (typeof who !== "string") throw new TypeError("no identity was asked for");
      done(null, create(ca.IstioCertificateResponseSchema, { certChain: issue(call.request.csr, who) }));
    },
  },
);
const pair = authority.serverPem(AUTHORITY_NAME);
const tls = ServerCredentials.createSsl(null, [
  { cert_chain: Buffer.from(pair.cert), private_key: Buffer.from(pair.key) },
]);
server.bindAsync(`${address}:${port}`, tls, (error) => {
  if (error !== null) throw error;
  const started: AuthorityStarted = {
    rootPem: authority.rootPem,
    client: credentials(authority, CLIENT),
    server: credentials(authority, SERVER),
  };
  process.send?.(started);
});
process.on("disconnect", () => process.exit(0));
