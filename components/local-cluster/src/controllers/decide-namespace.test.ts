import assert from "node:assert/strict";
import { test } from "node:test";
import type { Namespace } from "@meltemi/kubernetes";
import { decideNamespaceContent, decideNamespaceEnd } from "./decide-namespace.ts";
import { NOW } from "./objects.testing.ts";

const namespace: Namespace = { metadata: { name: "shop" }, spec: { finalizers: ["kubernetes"] } };
const ending: Namespace = { ...namespace, metadata: { name: "shop", deletionTimestamp: NOW } };
const account = { metadata: { name: "default", namespace: "shop" } };
const map = (pem: string) => ({
  metadata: { name: "kube-root-ca.crt", namespace: "shop" },
  data: { "ca.crt": pem },
});

const contents = [
  {
    name: "a new namespace gets both",
    namespace,
    account: undefined,
    map: undefined,
    want: ["create ServiceAccount", "create ConfigMap"],
  },
  { name: "nothing is missing", namespace, account, map: map("pem"), want: [] },
  {
    name: "changed certificates are put back",
    namespace,
    account,
    map: map("forged"),
    want: ["patch ConfigMap"],
  },
  { name: "one that ends gets nothing", namespace: ending, account: undefined, map: undefined, want: [] },
];
for (const c of contents) {
  test(`decideNamespaceContent: ${c.name}`, () => {
    const view = {
      namespace: c.namespace,
      defaultAccount: c.account,
      rootCertificates: c.map,
      certificateAuthority: "pem",
    };
    const { actions } = decideNamespaceContent(view);
    assert.deepEqual(
      actions.map(({ kind, type }) => `${kind} ${type.kind}`),
      c.want,
    );
  });
}

const ends = [
  { name: "alive", namespace, left: 0, want: { kind: "keep" } },
  { name: "not empty", namespace: ending, left: 2, want: { kind: "empty", left: 2 } },
  { name: "empty", namespace: ending, left: 0, want: { kind: "finalize", finalizers: [] } },
  {
    name: "others hold it too",
    namespace: { ...ending, spec: { finalizers: ["x", "kubernetes"] } },
    left: 0,
    want: { kind: "finalize", finalizers: ["x"] },
  },
  {
    name: "only others hold it",
    namespace: { ...ending, spec: { finalizers: ["x"] } },
    left: 0,
    want: { kind: "keep" },
  },
];
for (const c of ends) {
  test(`decideNamespaceEnd: ${c.name}`, () =>
    assert.deepEqual(decideNamespaceEnd(c.namespace, c.left), c.want));
}
