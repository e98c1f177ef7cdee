/** How many certificates a second the CA signs on one core, request to PEM, transport left out. */

import { generateKeyPairSync, randomBytes } from "node:crypto";
import {
  createCertificateSigningRequest,
  createRootAuthority,
  createRootAuthorityWithKey,
  decodeCertificate,
  type Issuer,
  issueLeaf,
  readCertificateSigningRequest,
  verifyChain,
  writePem,
} from "@meltemi/identity";
import { type Figure, figureOf, type Run } from "./figure.ts";
import type { Suite } from "./suite.ts";

const HOUR_MS = 3_600_000;
const IDENTITY = { trustDomain: "cluster.local", namespace: "default", serviceAccount: "client" };
const URI = "spiffe://cluster.local/ns/default/sa/client";
/** Different requests, so that no cache of one helps the next. */
const REQUESTS = 200;
const RUN_MS = 2000;
/** Every so many certificates one is verified, outside the time that is taken. */
const CHECK_EVERY = 50;
const TARGET_PER_SECOND = 1000;

export const certificatesSuite: Suite = {
  name: "certificates",
  about:
    "certificates signed per second of one core: ECDSA P-256 CA against an RSA-2048 one, which is Istio's default",
  async *run({ pairs, progress }): AsyncIterable<Figure> {
    const life = {
      organization: "cluster.local",
      notBeforeMs: Date.now() - HOUR_MS,
      notAfterMs: Date.now() + 24 * HOUR_MS,
    };
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const ours = createRootAuthority(life, randomBytes);
    const rsa = createRootAuthorityWithKey(life, privateKey, randomBytes);
    const requests = Array.from({ length: REQUESTS }, () => createCertificateSigningRequest(IDENTITY).pem);
    for (const issuer of [ours, rsa]) measure(issuer, requests, 200); // Warm up: compile both paths.
    const runs: Run[] = [];
    let correct = true;
    for (let pair = 1; pair <= pairs; pair++) {
      progress(`certificates, pair ${pair} of ${pairs}`);
      const [mine, peer] = [measure(ours, requests, RUN_MS), measure(rsa, requests, RUN_MS)];
      correct &&= mine.correct && peer.correct;
      runs.push({ ours: mine.perCoreSecond, peer: peer.perCoreSecond });
    }
    yield figureOf({
      name: "certificates per core second (request verified, certificate signed, PEM written)",
      unit: "1/s",
      peerName: "the same code with an RSA-2048 CA key",
      runs,
      correct,
      target: { text: `≥ ${TARGET_PER_SECOND}`, holds: (figure) => figure.ours >= TARGET_PER_SECOND },
    });
  },
};

/** CPU time of this process, not wall time: others share the machine. */
function measure(
  issuer: Issuer,
  requests: readonly string[],
  durationMs: number,
): { readonly perCoreSecond: number; readonly correct: boolean } {
  const issued: Uint8Array[] = [];
  const endMs = performance.now() + durationMs;
  const before = process.cpuUsage();
  let count = 0;
  while (performance.now() < endMs) {
    const der = issueFor(issuer, requests[count % requests.length] ?? "");
    if (count++ % CHECK_EVERY === 0) issued.push(der);
  }
  const used = process.cpuUsage(before);
  const correct = issued.every((der) => {
    const leaf = decodeCertificate(der);
    if (leaf.kind === "bad" || leaf.value.names.uris[0] !== URI) return false;
    return verifyChain([leaf.value], [issuer.certificate], Date.now()) === undefined;
  });
  return { perCoreSecond: (count * 1e6) / (used.user + used.system), correct };
}

function issueFor(issuer: Issuer, csrPem: string): Uint8Array {
  const request = readCertificateSigningRequest(csrPem);
  if (request.kind === "bad") throw new Error(request.why);
  const nowMs = Date.now();
  const der = issueLeaf(
    issuer,
    {
      publicKeySpki: request.value.publicKey.spki,
      names: { uris: [URI] },
      uses: ["serverAuth", "clientAuth"],
      notBeforeMs: nowMs - 120_000,
      notAfterMs: nowMs + HOUR_MS,
    },
    randomBytes,
  );
  writePem(der, "CERTIFICATE");
  return der;
}
