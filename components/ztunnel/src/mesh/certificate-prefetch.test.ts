import assert from "node:assert/strict";
import { test } from "node:test";
import { type AddressChange, newWorkload, type Workload } from "@meltemi/model";
import { createCertificatePrefetch } from "./certificate-prefetch.ts";

function setUp() {
  const events: string[] = [];
  const prefetch = createCertificatePrefetch(
    { node: "here" },
    {
      certificates: {
        get: (identity) => {
          events.push(`get ${identity.serviceAccount}`);
          return Promise.reject(new Error("no CA"));
        },
        forget: (identity) => events.push(`forget ${identity.serviceAccount}`),
      },
    },
  );
  const put = (uid: string, serviceAccount: string, given: Partial<Workload> = {}): AddressChange => ({
    kind: "workload",
    workload: newWorkload({
      uid,
      name: uid,
      namespace: "ns",
      serviceAccount,
      node: "here",
      tunnelProtocol: "hbone",
      ...given,
    }),
  });
  const remove = (name: string): AddressChange => ({ kind: "remove", name });
  return { events, prefetch, put, remove };
}

test("one fetch per identity, forgotten with its last workload", () => {
  const { events, prefetch, put, remove } = setUp();
  prefetch.follow([put("a", "x"), put("b", "x"), put("c", "y")]);
  assert.deepEqual(events, ["get x", "get y"]);
  prefetch.follow([remove("a"), remove("a"), remove("stranger")]);
  assert.deepEqual(events.slice(2), []);
  prefetch.follow([remove("b")]);
  assert.deepEqual(events.slice(2), ["forget x"]);
});

test("an update keeps the certificate; a new identity replaces it", () => {
  const { events, prefetch, put } = setUp();
  prefetch.follow([put("a", "x")]);
  prefetch.follow([put("a", "x", { status: "unhealthy" })]);
  assert.deepEqual(events, ["get x"]);
  prefetch.follow([put("a", "y")]);
  assert.deepEqual(events, ["get x", "get y", "forget x"]);
  prefetch.follow([put("a", "y", { tunnelProtocol: "none" })]);
  assert.deepEqual(events.at(-1), "forget y");
});

test("only this node's meshed workloads count", () => {
  const { events, prefetch, put } = setUp();
  prefetch.follow([put("a", "x", { node: "there" }), put("b", "y", { tunnelProtocol: "none" })]);
  assert.deepEqual(events, []);
  prefetch.follow([put("c", "z", { tunnelProtocol: "none", nativeTunnel: true })]);
  assert.deepEqual(events, ["get z"]);
});
