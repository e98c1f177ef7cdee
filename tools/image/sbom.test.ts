import assert from "node:assert/strict";
import { test } from "node:test";
import { type Inventory, renderSbom } from "./sbom.ts";

const inventory: Inventory = {
  version: "1.0",
  architecture: "arm64",
  created: "2001-09-09T01:46:40Z",
  npm: [
    {
      name: "@scope/name",
      version: "2.0.0",
      integrity: `sha512-${Buffer.from("sum").toString("base64")}`,
      license: "MIT",
    },
    { name: "plain", version: "3.0.0" },
  ],
  debian: [
    {
      name: "libstdc++6",
      version: "12.2.0-14+deb12u1",
      sha256: "ab",
      control: "Package: libstdc++6\nSource: gcc-12 (12.2.0-14)\n",
      files: new Map(),
    },
  ],
  node: { version: "24.0.0", sha256: "cd", libraries: { openssl: "3.5.0" } },
};

interface Document {
  readonly documentNamespace: string;
  readonly packages: readonly {
    readonly SPDXID: string;
    readonly name: string;
    readonly licenseDeclared: string;
    readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
  readonly relationships: readonly {
    readonly spdxElementId: string;
    readonly relationshipType: string;
    readonly relatedSpdxElement: string;
  }[];
}

const document = JSON.parse(renderSbom(inventory)) as Document;
const packageNamed = (name: string): Document["packages"][0] | undefined =>
  document.packages.find((entry) => entry.name === name);

test("packages are named as scanners look for them", () => {
  const locators = document.packages
    .flatMap((entry) => entry.externalRefs ?? [])
    .map((entry) => entry.referenceLocator);
  assert.deepEqual(locators, [
    "pkg:generic/node@24.0.0",
    "cpe:2.3:a:nodejs:node.js:24.0.0:*:*:*:*:*:*:*",
    "pkg:npm/%40scope/name@2.0.0",
    "pkg:npm/plain@3.0.0",
    "pkg:deb/debian/libstdc%2B%2B6@12.2.0-14%2Bdeb12u1?arch=arm64&upstream=gcc-12",
  ]);
  const sums = packageNamed("@scope/name")?.checksums;
  assert.deepEqual(sums, [{ algorithm: "SHA512", checksumValue: Buffer.from("sum").toString("hex") }]);
  assert.equal(packageNamed("plain")?.licenseDeclared, "NOASSERTION");
});

test("every package has an identifier of its own and its place: the mesh contains Node, which contains OpenSSL", () => {
  const ids = document.packages.map((entry) => entry.SPDXID);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^SPDXRef-[A-Za-z0-9.-]+$/);
  const related = new Set(document.relationships.map((entry) => entry.relatedSpdxElement));
  assert.deepEqual([...related].sort(), [...ids].sort());
  assert.ok(
    document.relationships.some(
      (entry) =>
        entry.spdxElementId === packageNamed("node")?.SPDXID &&
        entry.relatedSpdxElement === packageNamed("node-openssl")?.SPDXID,
    ),
  );
});

test("the document's name follows from what is inside, not from when it was made", () => {
  const namespaceOf = (changed: Partial<Inventory>): string =>
    (JSON.parse(renderSbom({ ...inventory, ...changed })) as Document).documentNamespace;
  assert.equal(namespaceOf({ created: "2020-01-01T00:00:00Z" }), document.documentNamespace);
  assert.notEqual(namespaceOf({ npm: [] }), document.documentNamespace);
});
