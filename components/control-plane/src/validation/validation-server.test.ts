import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "node:tls";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTestAuthority } from "@meltemi/testkit";
import type { KeyPair } from "../certificate-authority/server-certificate.ts";
import { createValidationMetrics } from "./validation-metrics.ts";
import { listenValidation } from "./validation-server.ts";

const log = createLogger(
  { filter: new LogFilter("off"), format: "plain", nowMs: Date.now, write: () => undefined },
  "test",
);

/** Serial number of the certificate that a new connection is shown. */
function serialOf(port: number, rootPem: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(
      { host: "127.0.0.1", port, ca: rootPem, servername: "istiod.istio-system.svc" },
      () => {
        resolve(socket.getPeerCertificate().serialNumber);
        socket.destroy();
      },
    );
    socket.on("error", reject);
  });
}

test("a renewed certificate is shown to the next connection, without a restart", async () => {
  const authority = createTestAuthority();
  const pair = (): KeyPair => {
    const { cert, key } = authority.serverPem("istiod.istio-system.svc");
    return { certificate: cert, privateKey: key, notAfterMs: Number.POSITIVE_INFINITY };
  };
  let tell: (pair: KeyPair) => void = () => undefined;
  const metrics = createValidationMetrics(createRegistry());
  await using server = await listenValidation("127.0.0.1:0", {
    metrics,
    clock: systemClock,
    log,
    onCertificate(listener) {
      tell = listener;
      listener(pair());
      return () => undefined;
    },
  });
  const before = await serialOf(server.port, authority.rootPem);
  assert.equal(await serialOf(server.port, authority.rootPem), before);
  tell(pair());
  assert.notEqual(await serialOf(server.port, authority.rootPem), before);
});
