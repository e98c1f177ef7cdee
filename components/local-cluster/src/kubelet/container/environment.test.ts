import assert from "node:assert/strict";
import { test } from "node:test";
import { collectEnvironment, commandLine, type EnvironmentSources, expand } from "./environment.ts";
import type { Container } from "./types.ts";

const expansions = [
  { text: "plain", want: "plain" },
  { text: "$(A)", want: "1" },
  { text: "$(A)-$(B)", want: "1-two" },
  { text: "$(NONE)", want: "$(NONE)" },
  { text: "$$(A)", want: "$(A)" },
  { text: "$$$(A)", want: "$1" },
  { text: "$A $", want: "$A $" },
  { text: "$(A", want: "$(A" },
  { text: "$()", want: "$()" },
];
for (const { text, want } of expansions)
  test(`expand: ${text}`, () =>
    assert.equal(
      expand(
        text,
        new Map([
          ["A", "1"],
          ["B", "two"],
        ]),
      ),
      want,
    ));

const sources: EnvironmentSources = {
  configMap: (name) => (name === "settings" ? new Map([["colour", "blue"]]) : undefined),
  secret: (name) => (name === "keys" ? new Map([["token", "s3cret"]]) : undefined),
  field: (path) => (path === "metadata.name" ? "pod-a" : undefined),
  resource: (_, resource) => (resource === "limits.cpu" ? "2" : undefined),
};
type Env = NonNullable<Container["env"]>;

const cases: readonly {
  name: string;
  container: Partial<Container>;
  want: Record<string, string> | string;
}[] = [
  {
    name: "values see earlier ones",
    container: {
      env: [
        { name: "A", value: "1" },
        { name: "B", value: "$(A)2" },
      ],
    },
    want: { A: "1", B: "12" },
  },
  {
    name: "values see the base",
    container: { env: [{ name: "A", value: "$(BASE)!" }] },
    want: { A: "base!" },
  },
  {
    name: "a ConfigMap's key",
    container: { env: fromKey("configMapKeyRef", "settings", "colour") },
    want: { X: "blue" },
  },
  {
    name: "a Secret's key",
    container: { env: fromKey("secretKeyRef", "keys", "token") },
    want: { X: "s3cret" },
  },
  {
    name: "a field",
    container: { env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } }] },
    want: { X: "pod-a" },
  },
  {
    name: "a resource",
    container: { env: [{ name: "X", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } }] },
    want: { X: "2" },
  },
  {
    name: "all keys, with a prefix",
    container: { envFrom: [{ prefix: "P_", configMapRef: { name: "settings" } }] },
    want: { P_colour: "blue" },
  },
  {
    name: "env wins over envFrom",
    container: { envFrom: [{ configMapRef: { name: "settings" } }], env: [{ name: "colour", value: "red" }] },
    want: { colour: "red" },
  },
  {
    name: "an optional key that is not there",
    container: { env: fromKey("configMapKeyRef", "settings", "size", true) },
    want: {},
  },
  {
    name: "an optional object that is not there",
    container: { envFrom: [{ secretRef: { name: "none", optional: true } }] },
    want: {},
  },
  {
    name: "a missing key",
    container: { env: fromKey("configMapKeyRef", "settings", "size") },
    want: 'couldn\'t find key size in configmap "settings"',
  },
  {
    name: "a missing ConfigMap",
    container: { env: fromKey("configMapKeyRef", "none", "k") },
    want: 'configmap "none" not found',
  },
  {
    name: "a missing Secret",
    container: { envFrom: [{ secretRef: { name: "none" } }] },
    want: 'secret "none" not found',
  },
  {
    name: "a field that there is not",
    container: { env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "spec.none" } } }] },
    want: "field spec.none is not supported",
  },
];

function fromKey(
  kind: "configMapKeyRef" | "secretKeyRef",
  name: string,
  key: string,
  optional?: boolean,
): Env {
  return [
    { name: "X", valueFrom: { [kind]: { name, key, ...(optional === undefined ? {} : { optional }) } } },
  ];
}

for (const { name, container, want } of cases)
  test(`collectEnvironment: ${name}`, () => {
    const result = collectEnvironment({ name: "c", ...container }, new Map([["BASE", "base"]]), sources);
    if (typeof want === "string") assert.deepEqual(result, { kind: "missing", message: want });
    else
      assert.deepEqual(result.kind === "ok" && Object.fromEntries(result.environment), {
        BASE: "base",
        ...want,
      });
  });

const commands = [
  { name: "the image's own", container: {}, want: ["node", "main.ts"] },
  {
    name: "arguments follow the entrypoint",
    container: { args: ["proxy", "$(A)"] },
    want: ["node", "main.ts", "proxy", "1"],
  },
  { name: "a command replaces it", container: { command: ["sh"], args: ["-c"] }, want: ["sh", "-c"] },
];
for (const { name, container, want } of commands)
  test(`commandLine: ${name}`, () =>
    assert.deepEqual(
      commandLine({ name: "c", ...container }, ["node", "main.ts"], new Map([["A", "1"]])),
      want,
    ));
