import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Refusal } from "../refusal.ts";
import { builtInType } from "../schema/type-names.ts";
import { formOf } from "./accept.ts";
import { parseBody } from "./body.ts";
import { decodeProtobuf } from "./protobuf.ts";
import { parseTarget } from "./target.ts";

const targets = [
  { path: "/api/v1/pods", want: { group: "", version: "v1", plural: "pods" } },
  { path: "/api/v1/namespaces/a", want: { group: "", version: "v1", plural: "namespaces", name: "a" } },
  {
    path: "/api/v1/namespaces/a/finalize",
    want: { group: "", version: "v1", plural: "namespaces", name: "a", subresource: "finalize" },
  },
  {
    path: "/api/v1/namespaces/a/pods/b/log",
    want: { group: "", version: "v1", plural: "pods", namespace: "a", name: "b", subresource: "log" },
  },
  {
    path: "/apis/apps/v1/namespaces/a/deployments",
    want: { group: "apps", version: "v1", plural: "deployments", namespace: "a" },
  },
  {
    path: "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
    want: { group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterroles", name: "system:node" },
  },
];
for (const c of targets) {
  test(`target: ${c.path}`, () => {
    const target = parseTarget(c.path);
    assert.deepEqual(JSON.parse(JSON.stringify(target)), { kind: "resource", ...c.want });
  });
}

test("target: the server's own paths, and what names nothing", () => {
  assert.deepEqual(parseTarget("/apis/apps/v1"), { kind: "server", path: "/apis/apps/v1" });
  assert.deepEqual(parseTarget("/"), { kind: "server", path: "/" });
  for (const path of [
    "/api/v1//pods",
    "/api/v1/pods/%",
    `/${"a/".repeat(20)}`,
    `/${"a".repeat(3_000)}`,
    "/api/v1/pods/a/b/c",
  ]) {
    assert.equal(parseTarget(path), undefined, path);
  }
});

test("accept: the first form that can be written", () => {
  const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
  assert.equal(formOf(table).kind, "table");
  assert.equal(formOf("application/vnd.kubernetes.protobuf,application/json").kind, "object");
  assert.equal(formOf("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").kind, "partial");
  assert.equal(formOf(undefined).kind, "object");
  assert.equal(formOf("application/vnd.kubernetes.protobuf").kind, "unsupported");
});

const code =
  (wanted: number) =>
  (error: unknown): boolean =>
    error instanceof Refusal && error.httpCode === wanted;

test("bodies: depth, syntax, media type and YAML bombs are refused", () => {
  const deep = Buffer.from(`${"[".repeat(200)}${"]".repeat(200)}`);
  assert.throws(() => parseBody(deep, "application/json"), code(400));
  assert.throws(() => parseBody(Buffer.from("{"), "application/json"), code(400));
  assert.throws(() => parseBody(Buffer.from("{}"), "text/html"), code(415));
  const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c]\n`;
  assert.throws(() => parseBody(Buffer.from(bomb), "application/yaml"), code(400));
  assert.deepEqual(parseBody(Buffer.from("a: on\nb: 1"), "application/yaml"), { a: true, b: 1 });
});

test("bodies: any bytes of any type are parsed or refused", () => {
  const types = fc.constantFrom(
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), types, (bytes, type) => {
      const body = type.includes("protobuf")
        ? Buffer.concat([Buffer.from("k8s\0"), bytes])
        : Buffer.from(bytes);
      try {
        parseBody(body, type);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
    { numRuns: 1_500 },
  );
});

/** A field of the wire format with a length. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  assert.ok(bytes.length < 128 && number < 16);
  return Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
}

test("protobuf: a config map as kubectl sends it", () => {
  const metadata = field(1, "colours");
  const entry = Buffer.concat([field(1, "sky"), field(2, "blue")]);
  const raw = Buffer.concat([
    field(1, metadata),
    field(2, entry),
    field(3, Buffer.concat([field(1, "bin"), field(2, Buffer.from([0xff]))])),
  ]);
  const type = Buffer.concat([field(1, "v1"), field(2, "ConfigMap")]);
  const body = Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, raw)]);
  assert.deepEqual(decodeProtobuf(body, builtInType), {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "colours" },
    data: { sky: "blue" },
    binaryData: { bin: "/w==" },
  });
  for (let cut = 4; cut < body.length; cut++) {
    try {
      decodeProtobuf(body.subarray(0, cut), builtInType);
    } catch (error) {
      assert.ok(error instanceof Refusal, String(error));
    }
  }
});

test("protobuf: damaged pods are decoded or refused", () => {
  const inner = fc.array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.uint8Array({ maxLength: 20 })), {
    maxLength: 5,
  });
  fc.assert(
    fc.property(inner, (fields) => {
      const spec = Buffer.concat(fields.map(([number, bytes]) => field(number, Buffer.from(bytes)))).subarray(
        0,
        120,
      );
      const type = Buffer.concat([field(1, "v1"), field(2, "Pod")]);
      const body = Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, field(2, spec))]);
      try {
        decodeProtobuf(body, builtInType);
      } catch (error) {
        assert.ok(error instanceof Refusal, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("protobuf: a newer field that says something is refused, an empty one is passed over", () => {
  const type = Buffer.concat([field(1, "v1"), field(2, "ConfigMap")]);
  const body = (content: string): Buffer =>
    Buffer.concat([Buffer.from("k8s\0"), field(1, type), field(2, field(14, content))]);
  assert.throws(() => decodeProtobuf(body("new"), builtInType), code(415));
  assert.deepEqual(decodeProtobuf(body(""), builtInType), { apiVersion: "v1", kind: "ConfigMap" });
});
