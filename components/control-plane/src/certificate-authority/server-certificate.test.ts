import assert from "node:assert/strict";
import { randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { connect } from "node:tls";
import { Server } from "@grpc/grpc-js";
import { createRootAuthority } from "@meltemi/identity";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, createTestAuthority } from "@meltemi/testkit";
import { newSelfSigned, readAuthority, type SigningAuthority } from "./authority-material.ts";
import { createRotatingCredentials, createServerCertificate, type KeyPair } from "./server-certificate.ts";

const HOUR_MS = 3_600_000;
const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
  "ca",
);

function selfSigned(nowMs: number): SigningAuthority {
  const reading = readAuthority("self-signed", newSelfSigned("cluster.local", nowMs, randomBytes), nowMs);
  assert.ok(reading.kind === "ok");
  return reading.authority;
}

test("the server certificate is renewed at half life and with every new CA, and chains to it", async () => {
  const clock = createFakeClock();
  let announce: (authority: SigningAuthority) => void = () => {};
  const onAuthority = (listener: typeof announce): (() => void) => {
    announce = listener;
    return () => {};
  };
  using certificate = createServerCertificate(
    { dnsNames: ["istiod.istio-system.svc"], ttlMs: 24 * HOUR_MS },
    { clock, randomBytes, log, onAuthority },
  );
  const pairs: KeyPair[] = [];
  certificate.onChange((pair) => pairs.push(pair));
  assert.equal(certificate.current, undefined);
  const first = selfSigned(clock.nowMs());
  announce(first);
  await clock.settle(12 * HOUR_MS - 1);
  assert.equal(pairs.length, 1);
  await clock.settle(1);
  assert.equal(pairs.length, 2);
  const second = selfSigned(clock.nowMs());
  announce(second);
  assert.equal(pairs.length, 3);
  const leaf = new X509Certificate(pairs[2]?.certificate ?? "");
  assert.equal(leaf.subjectAltName, "DNS:istiod.istio-system.svc");
  assert.ok(leaf.verify(new X509Certificate(second.issuer.certificate.der).publicKey));
  const life = { notBeforeMs: clock.nowMs() - HOUR_MS, notAfterMs: clock.nowMs() + HOUR_MS };
  announce({ ...second, issuer: createRootAuthority({ organization: "short", ...life }, randomBytes) });
  clock.advance(2 * HOUR_MS);
  assert.equal(pairs.at(-1)?.notAfterMs, life.notAfterMs, "an expired CA keeps the last pair");
  announce(selfSigned(clock.nowMs()));
  assert.ok((pairs.at(-1)?.notAfterMs ?? 0) > clock.nowMs());
});

test("a bound gRPC server drops connections before there is a certificate, then serves every new one", async () => {
  const authority = createTestAuthority();
  const pairOf = (name: string): KeyPair => {
    const { cert, key } = authority.serverPem(name);
    return { certificate: cert, privateKey: key, notAfterMs: 0 };
  };
  let tell: (pair: KeyPair) => void = () => {};
  const credentials = createRotatingCredentials({
    onChange(listener) {
      tell = listener;
      return () => {};
    },
  });
  const server = new Server();
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const served = async (): Promise<string | undefined> => {
    const socket = connect({
      port,
      host: "127.0.0.1",
      ca: authority.rootPem,
      ALPNProtocols: ["h2"],
      checkServerIdentity: () => undefined,
    });
    try {
      await once(socket, "secureConnect");
      return socket.getPeerX509Certificate()?.subjectAltName;
    } finally {
      socket.destroy();
    }
  };
  try {
    await assert.rejects(served());
    for (const name of ["first.example", "second.example"]) {
      tell(pairOf(name));
      await Promise.resolve();
      assert.equal(await served(), `DNS:${name}`);
    }
  } finally {
    server.forceShutdown();
  }
});
