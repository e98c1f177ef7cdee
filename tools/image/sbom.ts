/** The list of what is inside, as SPDX 2.3 in JSON. Pure: the same image has the same list. */

import { createHash } from "node:crypto";
import type { DebianPackage } from "./debian-packages.ts";
import type { LockedNpmPackage } from "./npm-package.ts";

export interface Inventory {
  readonly version: string;
  readonly architecture: string;
  /** RFC 3339, whole seconds. */
  readonly created: string;
  /** Bundled, or beside the bundles; without Node itself. */
  readonly npm: readonly (LockedNpmPackage & { readonly name: string })[];
  readonly debian: readonly DebianPackage[];
  readonly node: NodeInventory;
}

export interface NodeInventory {
  readonly version: string;
  /** sha256 of the program in the image, in hexadecimal. */
  readonly sha256: string;
  /** Libraries linked into it, as `process.versions` names them. */
  readonly libraries: Readonly<Record<string, string>>;
}

interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo: string;
  readonly downloadLocation: string;
  readonly filesAnalyzed: false;
  readonly licenseConcluded: string;
  readonly licenseDeclared: string;
  readonly copyrightText: string;
  readonly supplier?: string;
  readonly checksums?: readonly { readonly algorithm: string; readonly checksumValue: string }[];
  readonly externalRefs?: readonly {
    readonly referenceCategory: string;
    readonly referenceType: string;
    readonly referenceLocator: string;
  }[];
}

const UNKNOWN = "NOASSERTION";

export function renderSbom(inventory: Inventory): string {
  const root = packageOf("meltemi", inventory.version, { licence: "Apache-2.0" });
  const node = nodePackage(inventory.node);
  const inside = [
    node,
    ...inventory.npm.map(npmPackage),
    ...inventory.debian.map((entry) => debianPackage(entry, inventory.architecture)),
  ];
  const libraries = Object.entries(inventory.node.libraries).map(([name, version]) =>
    packageOf(`node-${name}`, version, {}),
  );
  const contains = (outer: SpdxPackage, inner: SpdxPackage): object => ({
    spdxElementId: outer.SPDXID,
    relationshipType: "CONTAINS",
    relatedSpdxElement: inner.SPDXID,
  });
  const packages = [root, ...inside, ...libraries];
  const contentSum = createHash("sha256").update(JSON.stringify(packages)).digest("hex");
  const document = {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: `meltemi-${inventory.version}-linux-${inventory.architecture}`,
    documentNamespace: `https://spdx.org/spdxdocs/meltemi-${inventory.version}-${inventory.architecture}-${contentSum}`,
    creationInfo: { created: inventory.created, creators: [`Tool: meltemi-image-${inventory.version}`] },
    documentDescribes: [root.SPDXID],
    packages,
    relationships: [
      { spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES", relatedSpdxElement: root.SPDXID },
      ...inside.map((inner) => contains(root, inner)),
      ...libraries.map((inner) => contains(node, inner)),
    ],
  };
  return `${JSON.stringify(document, undefined, 1)}\n`;
}

interface PackageFacts {
  readonly licence?: string | undefined;
  readonly location?: string;
  readonly supplier?: string;
  readonly checksum?: { readonly algorithm: string; readonly hex: string };
  readonly purl?: string;
  readonly cpe?: string;
}

function packageOf(name: string, version: string, facts: PackageFacts): SpdxPackage {
  const references = [
    ...(facts.purl === undefined ? [] : [reference("PACKAGE-MANAGER", "purl", facts.purl)]),
    ...(facts.cpe === undefined ? [] : [reference("SECURITY", "cpe23Type", facts.cpe)]),
  ];
  const { checksum } = facts;
  return {
    SPDXID: `SPDXRef-Package-${`${name}-${version}`.replaceAll(/[^A-Za-z0-9.-]+/g, "-")}`,
    name,
    versionInfo: version,
    ...(facts.supplier !== undefined && { supplier: facts.supplier }),
    downloadLocation: facts.location ?? UNKNOWN,
    filesAnalyzed: false,
    licenseConcluded: UNKNOWN,
    licenseDeclared: facts.licence ?? UNKNOWN,
    copyrightText: UNKNOWN,
    ...(checksum !== undefined && {
      checksums: [{ algorithm: checksum.algorithm, checksumValue: checksum.hex }],
    }),
    ...(references.length > 0 && { externalRefs: references }),
  };
}

function reference(
  category: string,
  type: string,
  locator: string,
): NonNullable<SpdxPackage["externalRefs"]>[0] {
  return { referenceCategory: category, referenceType: type, referenceLocator: locator };
}

function nodePackage({ version, sha256 }: NodeInventory): SpdxPackage {
  return packageOf("node", version, {
    licence: "MIT",
    location: `https://nodejs.org/dist/v${version}/`,
    checksum: { algorithm: "SHA256", hex: sha256 },
    purl: `pkg:generic/node@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
  });
}

function npmPackage({ name, version, integrity, license }: Inventory["npm"][number]): SpdxPackage {
  const sum = integrity?.startsWith("sha512-")
    ? Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex")
    : undefined;
  const file = name.split("/").at(-1);
  return packageOf(name, version, {
    licence: license,
    location: `https://registry.npmjs.org/${name}/-/${file}-${version}.tgz`,
    ...(sum !== undefined && { checksum: { algorithm: "SHA512", hex: sum } }),
    purl: `pkg:npm/${name.replace("@", "%40")}@${version}`,
  });
}

function debianPackage({ name, version, sha256, control }: DebianPackage, architecture: string): SpdxPackage {
  const source = /^Source: (\S+)/m.exec(control)?.[1] ?? name;
  return packageOf(name, version, {
    supplier: "Organization: Debian",
    checksum: { algorithm: "SHA256", hex: sha256 },
    purl: `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&upstream=${encodeURIComponent(source)}`,
  });
}
