/** A control plane with its webhook, asked as the API server asks it. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Agent, type RequestOptions, request } from "node:https";
import type { TLSSocket } from "node:tls";
import type { CustomObject, KubernetesClient, KubernetesObject } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { readConfig } from "../../components/control-plane/src/config.ts";
import { type RunningControlPlane, runControlPlane } from "../../components/control-plane/src/run.ts";
import { ensureNamespace, quietLogger } from "./control-plane.fixture.ts";

const NAME = "istiod.istio-system.svc";

export interface Plane extends AsyncDisposable {
  readonly running: RunningControlPlane;
  /** One for each mesh configuration. */
  readonly starts: readonly RunningControlPlane[];
  readonly port: number;
  readonly rootPem: string;
}

export async function startPlane(client: KubernetesClient, env: Record<string, string> = {}): Promise<Plane> {
  const local = ["httpAddr", "httpsAddr", "secureGRPCAddr", "grpcAddr", "monitoringAddr"];
  const result = readConfig(
    local.map((flag) => `--${flag}=127.0.0.1:0`),
    env,
  );
  assert.ok(result.kind === "ok", JSON.stringify(result));
  await ensureNamespace(client, "istio-system");
  const stop = new AbortController();
  const started = Promise.withResolvers<RunningControlPlane>();
  const starts: RunningControlPlane[] = [];
  const deps = {
    client,
    clock: systemClock,
    random: Math.random,
    randomBytes: (count: number): Uint8Array => randomBytes(count),
    logger: quietLogger(),
  };
  const ended = runControlPlane({ ...result.config, drainMs: 100 }, deps, stop.signal, (running) => {
    starts.push(running);
    started.resolve(running);
  });
  ended.catch(started.reject);
  const running = await started.promise;
  const { promise, resolve } = Promise.withResolvers<string>();
  running.authority.onRootBundle(resolve);
  return {
    running,
    starts,
    port: running.webhookPort ?? 0,
    rootPem: await promise,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await ended;
    },
  };
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly serial: string;
}

export function send(
  { port, rootPem }: Pick<Plane, "port" | "rootPem">,
  body: string | Uint8Array,
  overrides: RequestOptions = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        host: "127.0.0.1",
        port,
        servername: NAME,
        ca: rootPem,
        method: "POST",
        path: "/validate?timeout=10s",
        headers: { "content-type": "application/json" },
        agent: new Agent({ maxCachedSessions: 0 }),
        ...overrides,
      },
      (response) => {
        const { serialNumber: serial } = (response.socket as TLSSocket).getPeerCertificate();
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text, serial }));
        response.on("error", reject);
      },
    );
    call.on("error", reject);
    call.end(body);
  });
}

export function reviewOf(object: KubernetesObject, fields: object = {}): string {
  const [group = "", version = ""] = (object.apiVersion ?? "").split("/");
  return JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u-1",
      operation: "CREATE",
      kind: { group, version, kind: object.kind },
      object,
      ...fields,
    },
  });
}

export interface Verdict {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly message: string };
  readonly warnings?: readonly string[];
}

export async function ask(plane: Plane, body: string): Promise<Verdict> {
  const { status, text } = await send(plane, body);
  assert.equal(status, 200, text);
  const answer = JSON.parse(text) as { readonly kind: string; readonly response: Verdict };
  assert.equal(answer.kind, "AdmissionReview");
  return answer.response;
}

export function policy(spec: unknown, metadata: object = {}): CustomObject {
  return {
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "p", namespace: "apps", ...metadata },
    spec,
  };
}

export const BAD: CustomObject = policy({ action: "CUSTOM" });
