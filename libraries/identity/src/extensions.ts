/** X.509 v3 extensions (RFC 5280 §4.2) as far as SPIFFE certificates use them: reading and writing. */

import { type Ip, ipBytes } from "@meltemi/model";
import { contextPrimitiveTag, contextTag, DerFault, DerReader, TAG } from "./der-reader.ts";
import {
  asciiText,
  readBoolean,
  readNamedBits,
  readObjectIdentifier,
  readSmallInteger,
} from "./der-values.ts";
import * as write from "./der-writer.ts";
import { OID } from "./object-identifiers.ts";

/** Bits of keyUsage. */
export const KEY_USAGE = {
  digitalSignature: 0x01,
  keyEncipherment: 0x04,
  keyCertSign: 0x20,
  crlSign: 0x40,
} as const;

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  readonly value: Uint8Array;
}

/** Names of a certificate or request. Kinds of name that the mesh has no use for are passed over. */
export interface SubjectAltNames {
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
}

export interface BasicConstraints {
  readonly certificateAuthority: boolean;
  readonly pathLength: number | undefined;
}

/** A certificate with more is no workload's; each costs memory. */
const MAX_EXTENSIONS = 32;
const MAX_NAMES = 64;

/** Reads `Extensions`, the SEQUENCE OF. The same extension twice is a fault: two readers could take different ones. */
export function readExtensions(list: DerReader): ReadonlyMap<string, Extension> {
  const found = new Map<string, Extension>();
  while (!list.done) {
    const item = list.enter(TAG.sequence, "extension");
    const oid = readObjectIdentifier(item, "extension name");
    const critical = item.optional(TAG.boolean, `extension ${oid}`);
    const isCritical =
      critical !== undefined && readBoolean(new DerReader(critical.whole), `extension ${oid}`);
    const value = item.read(TAG.octetString, `extension ${oid}`).content;
    item.end(`extension ${oid}`);
    if (found.has(oid)) throw new DerFault(`extension ${oid}: given twice`);
    if (found.size >= MAX_EXTENSIONS) throw new DerFault(`more than ${MAX_EXTENSIONS} extensions`);
    found.set(oid, { oid, critical: isCritical, value });
  }
  return found;
}

/** Reads subjectAltName; no extension gives no names. */
export function readSubjectAltNames(extension: Extension | undefined): SubjectAltNames {
  const uris: string[] = [];
  const dnsNames: string[] = [];
  if (extension === undefined) return { uris, dnsNames };
  const outer = new DerReader(extension.value);
  const names = outer.enter(TAG.sequence, "subject alternative names");
  outer.end("subject alternative names");
  for (let count = 0; !names.done; count++) {
    if (count >= MAX_NAMES) throw new DerFault(`more than ${MAX_NAMES} subject alternative names`);
    const name = names.any("subject alternative name");
    if (name.tag === contextPrimitiveTag(6)) uris.push(asciiText(name.content, "URI name"));
    if (name.tag === contextPrimitiveTag(2)) dnsNames.push(asciiText(name.content, "DNS name"));
  }
  return { uris, dnsNames };
}

export function readBasicConstraints(extension: Extension | undefined): BasicConstraints {
  if (extension === undefined) return { certificateAuthority: false, pathLength: undefined };
  const outer = new DerReader(extension.value);
  const inner = outer.enter(TAG.sequence, "basic constraints");
  outer.end("basic constraints");
  const flag = inner.optional(TAG.boolean, "basic constraints");
  const certificateAuthority =
    flag !== undefined && readBoolean(new DerReader(flag.whole), "basic constraints");
  const pathLength = inner.done ? undefined : readSmallInteger(inner, "path length");
  inner.end("basic constraints");
  return { certificateAuthority, pathLength };
}

/** Bits as in {@link KEY_USAGE}; undefined when the certificate does not limit them. */
export function readKeyUsage(extension: Extension | undefined): number | undefined {
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value);
  const bits = readNamedBits(outer, "key usage");
  outer.end("key usage");
  return bits;
}

/** Object identifiers of the extended key usages; undefined when the certificate does not limit them. */
export function readExtendedKeyUsage(extension: Extension | undefined): readonly string[] | undefined {
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value);
  const list = outer.enter(TAG.sequence, "extended key usage");
  outer.end("extended key usage");
  const usages: string[] = [];
  while (!list.done) usages.push(readObjectIdentifier(list, "extended key usage"));
  return usages;
}

export function readSubjectKeyIdentifier(extension: Extension | undefined): Uint8Array | undefined {
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value);
  const { content } = outer.read(TAG.octetString, "subject key identifier");
  outer.end("subject key identifier");
  return content;
}

/** The identifier of the issuer's key (RFC 5280 §4.2.1.1); undefined when the extension has none, or is not there. */
export function readAuthorityKeyIdentifier(extension: Extension | undefined): Uint8Array | undefined {
  if (extension === undefined) return undefined;
  const outer = new DerReader(extension.value);
  const fields = outer.enter(TAG.sequence, "authority key identifier");
  outer.end("authority key identifier");
  return fields.optional(contextPrimitiveTag(0), "authority key identifier")?.content;
}

export interface NamesToWrite {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly Ip[];
}

/** subjectAltName; critical when the subject is empty (RFC 5280 §4.2.1.6). */
export function subjectAltNameExtension(names: NamesToWrite, critical: boolean): Uint8Array {
  const text = (tag: number, value: string): Uint8Array => {
    const bytes = new TextEncoder().encode(value);
    asciiText(bytes, "subject alternative name"); // IA5String: refuse what is not ASCII rather than write it.
    return write.element(tag, bytes);
  };
  return extension(
    OID.subjectAltName,
    critical,
    write.sequence(
      ...(names.uris ?? []).map((uri) => text(contextPrimitiveTag(6), uri)),
      ...(names.dnsNames ?? []).map((name) => text(contextPrimitiveTag(2), name)),
      ...(names.ipAddresses ?? []).map((ip) => write.element(contextPrimitiveTag(7), ipBytes(ip))),
    ),
  );
}

export function basicConstraintsExtension(constraints: BasicConstraints): Uint8Array {
  const { certificateAuthority, pathLength } = constraints;
  const parts = certificateAuthority ? [write.trueValue()] : [];
  if (pathLength !== undefined) parts.push(write.unsignedInteger(Uint8Array.of(pathLength)));
  return extension(OID.basicConstraints, true, write.sequence(...parts));
}

export function keyUsageExtension(bits: number): Uint8Array {
  return extension(OID.keyUsage, true, write.namedBits(bits));
}

export function extendedKeyUsageExtension(usages: readonly string[]): Uint8Array {
  return extension(OID.extendedKeyUsage, false, write.sequence(...usages.map(write.objectIdentifier)));
}

export function subjectKeyIdentifierExtension(identifier: Uint8Array): Uint8Array {
  return extension(OID.subjectKeyIdentifier, false, write.octetString(identifier));
}

export function authorityKeyIdentifierExtension(identifier: Uint8Array): Uint8Array {
  return extension(
    OID.authorityKeyIdentifier,
    false,
    write.sequence(write.element(contextPrimitiveTag(0), identifier)),
  );
}

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [write.trueValue()] : [];
  return write.sequence(write.objectIdentifier(oid), ...flag, write.octetString(value));
}

/** `[3] EXPLICIT Extensions` of a certificate. */
export const CERTIFICATE_EXTENSIONS_TAG: number = contextTag(3);
