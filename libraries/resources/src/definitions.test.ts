import assert from "node:assert/strict";
import { test } from "node:test";
import { customResourceDefinitions } from "./definitions.ts";

interface Manifest {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly plural: string;
      readonly kind: string;
      readonly shortNames?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly storage: boolean;
      readonly schema: { readonly openAPIV3Schema: object };
    }[];
  };
}

const manifests = customResourceDefinitions() as readonly Manifest[];

test("every definition is named after its plural and group, and stores one version", () => {
  for (const { metadata, spec } of manifests) {
    assert.equal(metadata.name, `${spec.names.plural}.${spec.group}`);
    assert.equal(spec.versions.filter((version) => version.storage).length, 1);
  }
  assert.equal(new Set(manifests.map(({ metadata }) => metadata.name)).size, manifests.length);
});

test("short names are Istio's, Gateway API's and our own, each once", () => {
  const shortNames = manifests.flatMap(({ spec }) => spec.names.shortNames ?? []);
  assert.deepEqual(shortNames.toSorted(), [
    "ap",
    "dr",
    "gc",
    "gtw",
    "gw",
    "pa",
    "ra",
    "refgrant",
    "rlp",
    "se",
    "telemetry",
    "vs",
    "we",
    "wg",
  ]);
});

/** Kubernetes' rules of structural schemas, as far as a mistake here could break them. */
function faultsOf(schema: Readonly<Record<string, unknown>>, path: string): readonly string[] {
  const faults: string[] = [];
  const typed = typeof schema["type"] === "string";
  const open =
    schema["x-kubernetes-preserve-unknown-fields"] === true || schema["x-kubernetes-int-or-string"] === true;
  if (!typed && !open) faults.push(`${path}: no type`);
  if (schema["properties"] !== undefined && schema["additionalProperties"] !== undefined)
    faults.push(`${path}: properties and additionalProperties`);
  const properties = (schema["properties"] ?? {}) as Readonly<
    Record<string, Readonly<Record<string, unknown>>>
  >;
  for (const name of (schema["required"] ?? []) as readonly string[]) {
    if (properties[name] === undefined) faults.push(`${path}: requires ${name}, which it does not have`);
  }
  for (const key of (schema["x-kubernetes-list-map-keys"] ?? []) as readonly string[]) {
    const items = schema["items"] as {
      properties?: Readonly<Record<string, { default?: unknown }>>;
      required?: readonly string[];
    };
    if (!items.required?.includes(key) && items.properties?.[key]?.default === undefined)
      faults.push(`${path}: map key ${key} is neither required nor defaulted`);
  }
  for (const [name, inner] of Object.entries(properties)) faults.push(...faultsOf(inner, `${path}.${name}`));
  for (const name of ["items", "additionalProperties"]) {
    if (schema[name] !== undefined)
      faults.push(...faultsOf(schema[name] as Readonly<Record<string, unknown>>, `${path}.${name}`));
  }
  return faults;
}

for (const { metadata, spec } of manifests) {
  test(`schema of ${metadata.name} is structural`, () => {
    for (const { name, schema } of spec.versions) {
      assert.deepEqual(faultsOf(schema.openAPIV3Schema as Readonly<Record<string, unknown>>, name), []);
    }
  });
}

test("manifests are plain JSON", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(manifests)), manifests);
});
