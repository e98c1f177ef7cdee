/** `istio.v1.auth.IstioCertificateService` (reference: protocol §3.7, §4.3): authenticates, asks {@link decideIssue}, signs. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Metadata,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { certificatePem, issueLeaf, type RandomBytes, writePem } from "@meltemi/identity";
import { formatIdentity } from "@meltemi/model";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { ca } from "@meltemi/wire";
import type { Admission } from "./admission.ts";
import type { SigningAuthority } from "./authority-material.ts";
import type { AuthorityMetrics } from "./authority-metrics.ts";
import { type Caller, type ClusterView, decideIssue, type IssuePolicy } from "./decide-issue.ts";
import type { TokenAuthenticator } from "./token-authenticator.ts";

/** Clocks of nodes may run behind ours by this much. */
const SKEW_MS = 2 * 60_000;

export interface CertificateServiceOptions {
  readonly policy: IssuePolicy;
  /** A request that names another cluster in `clusterid` is refused: its tokens are not ours to judge. */
  readonly clusterId: string;
}

export interface CertificateServiceDeps {
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
  readonly metrics: AuthorityMetrics;
  readonly authenticator: TokenAuthenticator;
  readonly admission: Admission;
  readonly view: ClusterView;
  /** The CA of the moment; undefined while there is none. */
  readonly authority: () => SigningAuthority | undefined;
}

/** For `server.addService(definition, implementation)`. */
export interface CertificateService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

type Outcome =
  | { readonly kind: "issued"; readonly certChain: readonly string[] }
  | { readonly kind: "refused"; readonly code: status; readonly message: string };

export function createCertificateService(
  options: CertificateServiceOptions,
  deps: CertificateServiceDeps,
): CertificateService {
  // One signature per turn of the event loop: a burst of requests must not hold up configuration pushes.
  let lastTurn: Promise<unknown> = Promise.resolve();
  const ownTurn = (): Promise<unknown> => {
    lastTurn = lastTurn.then(() => nextTurn());
    return lastTurn;
  };
  const handle = async (
    request: ca.IstioCertificateRequest,
    headers: Metadata,
    cancelled: () => boolean,
  ): Promise<Outcome> => {
    const caller = await authenticate(headers, options, deps);
    if ("code" in caller) return caller;
    const { namespace, serviceAccount, pod } = caller;
    if (!deps.admission.charge(`${namespace}/${serviceAccount}/${pod?.uid ?? ""}`))
      return refuse(
        deps,
        status.RESOURCE_EXHAUSTED,
        "too many certificate requests from this client",
        "client-rate",
      );
    await ownTurn();
    if (cancelled()) return refuse(deps, status.CANCELLED, "request was cancelled", "cancelled");
    return issue(request, caller, options, deps);
  };
  const createCertificate = (
    call: ServerUnaryCall<ca.IstioCertificateRequest, readonly string[]>,
    done: sendUnaryData<readonly string[]>,
  ): void => {
    deps.metrics.requests.inc();
    const place = deps.admission.enter();
    if (place.kind === "refused") {
      deps.metrics.refusals.labels({ reason: place.reason }).inc();
      done({ code: status.RESOURCE_EXHAUSTED, details: "too many certificate requests pending" });
      return;
    }
    handle(call.request, call.metadata, () => call.cancelled)
      .catch((error: unknown): Outcome => {
        deps.log.error("certificate request failed", { error: describeError(error) });
        return refuse(deps, status.INTERNAL, "certificate signing failed", "internal");
      })
      .then((outcome) => {
        place.release();
        if (outcome.kind === "issued") done(null, outcome.certChain);
        else done({ code: outcome.code, details: outcome.message });
      })
      .catch((error: unknown) =>
        deps.log.error("certificate answer failed", { error: describeError(error) }),
      );
  };
  return { definition: DEFINITION, implementation: { CreateCertificate: createCertificate } };
}

async function authenticate(
  headers: Metadata,
  options: CertificateServiceOptions,
  deps: CertificateServiceDeps,
): Promise<Caller | Extract<Outcome, { kind: "refused" }>> {
  const clusters = headers.get("clusterid").map(String);
  if (clusters.some((cluster) => cluster !== options.clusterId)) {
    deps.metrics.authenticationFailures.inc();
    return refuse(deps, status.UNAUTHENTICATED, "request authenticate failure", "other-cluster");
  }
  const answer = await deps.authenticator.authenticate(headers.get("authorization").map(String));
  switch (answer.kind) {
    case "authenticated":
      return answer.caller;
    case "refused":
      deps.metrics.authenticationFailures.inc();
      // Anybody can cause this line, so it is not for the default log.
      deps.log.debug("certificate request not authenticated", { reason: answer.reason.slice(0, 256) });
      return refuse(deps, status.UNAUTHENTICATED, "request authenticate failure", "not-authenticated");
    case "unavailable":
      deps.log.warn("token review failed", { reason: answer.reason.slice(0, 256) });
      return refuse(deps, status.UNAVAILABLE, "token review is not available", "review-unavailable");
  }
}

function issue(
  request: ca.IstioCertificateRequest,
  caller: Caller,
  options: CertificateServiceOptions,
  deps: CertificateServiceDeps,
): Outcome {
  const { issuer, intermediates, rootBundlePem } = deps.authority() ?? {};
  if (issuer === undefined || intermediates === undefined || rootBundlePem === undefined)
    return refuse(deps, status.UNAVAILABLE, "certificate authority is not ready", "no-authority");
  const { csr, validityDuration, metadata } = request;
  const decision = decideIssue(
    {
      csrPem: csr,
      validitySeconds: validityDuration,
      impersonated: metadata?.["ImpersonatedIdentity"],
      certSigner: metadata?.["CertSigner"],
    },
    caller,
    deps.view,
    options.policy,
  );
  const who = `${caller.namespace}/${caller.serviceAccount}`;
  if (decision.kind === "refuse") {
    const { reason, detail, code, message } = decision;
    deps.log.warn("certificate refused", { caller: who, pod: caller.pod?.name, reason, detail });
    return refuse(deps, status[code], message, reason);
  }
  const nowMs = deps.clock.nowMs();
  const { identity, publicKeySpki, ttlMs } = decision;
  const validity = { notBeforeMs: nowMs - SKEW_MS, notAfterMs: nowMs + ttlMs };
  const names = { uris: [formatIdentity(identity)] };
  const leaf = issueLeaf(
    issuer,
    { publicKeySpki, names, uses: ["serverAuth", "clientAuth"], ...validity },
    deps.randomBytes,
  );
  deps.metrics.issued.inc();
  deps.log.debug("certificate issued", {
    identity: formatIdentity(identity),
    caller: who,
    ttlSeconds: ttlMs / 1000,
  });
  const certChain = [writePem(leaf, "CERTIFICATE"), ...intermediates.map(certificatePem), rootBundlePem];
  return { kind: "issued", certChain };
}

function refuse(
  deps: CertificateServiceDeps,
  code: status,
  message: string,
  reason: string,
): Extract<Outcome, { kind: "refused" }> {
  deps.metrics.refusals.labels({ reason }).inc();
  return { kind: "refused", code, message };
}

const DEFINITION: ServiceDefinition = {
  CreateCertificate: {
    path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
    requestStream: false,
    responseStream: false,
    requestSerialize: (request: ca.IstioCertificateRequest) =>
      Buffer.from(toBinary(ca.IstioCertificateRequestSchema, request)),
    requestDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateRequestSchema, bytes),
    responseSerialize: (certChain: readonly string[]) =>
      Buffer.from(
        toBinary(
          ca.IstioCertificateResponseSchema,
          create(ca.IstioCertificateResponseSchema, { certChain: [...certChain] }),
        ),
      ),
    responseDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateResponseSchema, bytes).certChain,
  },
};
