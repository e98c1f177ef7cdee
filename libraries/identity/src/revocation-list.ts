/**
 * Reads X.509 certificate revocation lists (RFC 5280 §5). Structure alone: a list counts only for certificates of the key that
 * signed it, which the revocation index judges. Lists that would have to be read together with others are refused.
 */

import {
  contextPrimitiveTag,
  contextTag,
  type Decoded,
  DerFault,
  DerReader,
  decodeDer,
  TAG,
} from "./der-reader.ts";
import { readBitStringBytes, readSerialNumber, readSmallInteger, readTime } from "./der-values.ts";
import { type Extension, readAuthorityKeyIdentifier, readExtensions } from "./extensions.ts";
import { OID } from "./object-identifiers.ts";
import { readPem, writePem } from "./pem.ts";
import { readSignatureAlgorithm, type SignedBytes } from "./public-key.ts";

/** Above any file that fits into a ConfigMap (1 MiB), and enough for {@link MAX_ENTRIES}; below what stalls a proxy for long. */
export const MAX_REVOCATION_FILE_BYTES: number = 32 * 1024 * 1024;
/** Of all lists of a file together; each costs about 100 bytes of memory for as long as the list is in force. */
const MAX_ENTRIES = 400_000;
/** A file has one list per CA of the mesh: roots and intermediates, twice during a rotation. */
const MAX_LISTS = 64;

export interface RevocationList {
  readonly der: Uint8Array;
  /** Name in DER: equal bytes, equal name. */
  readonly issuer: Uint8Array;
  /** Which of the keys of that name signed it, as {@link Certificate.subjectKeyIdentifier}; undefined when it does not say. */
  readonly authorityKeyIdentifier: Uint8Array | undefined;
  readonly thisUpdateMs: number;
  /** When the issuer promised the next one; undefined when it did not. */
  readonly nextUpdateMs: number | undefined;
  /** As {@link Certificate.serialNumber}. */
  readonly serialNumbers: ReadonlySet<string>;
  readonly signed: SignedBytes;
}

/** A file as `CRL_PATH` names it: PEM blocks `X509 CRL` one after another, or a single list in DER. One bad list spoils all. */
export function readRevocationFile(bytes: Uint8Array): Decoded<readonly RevocationList[]> {
  if (bytes.length > MAX_REVOCATION_FILE_BYTES)
    return { kind: "bad", why: `${bytes.length} bytes, at most ${MAX_REVOCATION_FILE_BYTES} expected` };
  // No PEM text begins with the byte of a DER sequence ("0") followed by a length of several bytes.
  const isDer = bytes[0] === TAG.sequence && (bytes[1] ?? 0) >= 0x80;
  const blocks: Decoded<readonly Uint8Array[]> = isDer
    ? { kind: "ok", value: [bytes] }
    : readPem(Buffer.from(bytes).toString("latin1"), "X509 CRL", MAX_REVOCATION_FILE_BYTES);
  if (blocks.kind === "bad") return blocks;
  if (blocks.value.length === 0) return { kind: "bad", why: "no PEM block X509 CRL, and not DER either" };
  if (blocks.value.length > MAX_LISTS)
    return { kind: "bad", why: `${blocks.value.length} lists, at most ${MAX_LISTS} expected` };
  const lists: RevocationList[] = [];
  let room = MAX_ENTRIES;
  for (const [index, der] of blocks.value.entries()) {
    const list = decodeRevocationList(der, room);
    if (list.kind === "bad")
      return { kind: "bad", why: `list ${index + 1} of ${blocks.value.length}: ${list.why}` };
    room -= list.value.serialNumbers.size;
    lists.push(list.value);
  }
  return { kind: "ok", value: lists };
}

/** One CertificateList in DER with at most `maxEntries` certificates. Indirect and delta lists are refused. */
export function decodeRevocationList(
  der: Uint8Array,
  maxEntries: number = MAX_ENTRIES,
): Decoded<RevocationList> {
  return decodeDer(der, MAX_REVOCATION_FILE_BYTES, (reader) => {
    const outer = reader.enter(TAG.sequence, "revocation list");
    const body = outer.read(TAG.sequence, "list body");
    const algorithm = readSignatureAlgorithm(outer, "signature algorithm");
    const signature = readBitStringBytes(outer, "signature");
    outer.end("revocation list");
    const signed = { body: body.whole, algorithm, signature };
    return { ...readBody(outer.within(body), signed, maxEntries), der, signed };
  });
}

/** PEM blocks of the lists alone, in order: what else a file had in it stays behind. */
export function revocationListsPem(lists: readonly RevocationList[]): string {
  return lists.map(({ der }) => writePem(der, "X509 CRL")).join("");
}

function readBody(
  body: DerReader,
  signed: SignedBytes,
  maxEntries: number,
): Omit<RevocationList, "der" | "signed"> {
  // Version 1 has neither field nor extensions.
  const version = body.optional(TAG.integer, "version");
  if (version !== undefined && readSmallInteger(new DerReader(version.whole), "version") !== 1)
    throw new DerFault("version: expected 2");
  if (readSignatureAlgorithm(body, "inner signature algorithm") !== signed.algorithm)
    throw new DerFault("signature algorithm: differs inside and outside");
  const issuer = body.read(TAG.sequence, "issuer").whole;
  const thisUpdateMs = readTime(body, "thisUpdate");
  const nextUpdateMs = readNextUpdate(body);
  const revoked = body.optional(TAG.sequence, "revoked certificates");
  const serialNumbers =
    revoked === undefined ? new Set<string>() : readEntries(body.within(revoked), maxEntries);
  const wrapped = body.optional(contextTag(0), "list extensions");
  body.end("list body");
  if (wrapped !== undefined && version === undefined) throw new DerFault("list extensions: not in version 1");
  const authorityKeyIdentifier = wrapped && readListExtensions(body.within(wrapped));
  return { issuer, authorityKeyIdentifier, thisUpdateMs, nextUpdateMs, serialNumbers };
}

/** Gives the identifier of the key that signed. */
function readListExtensions(around: DerReader): Uint8Array | undefined {
  const extensions = readExtensions(around.enter(TAG.sequence, "list extensions"));
  around.end("list extensions");
  checkListExtensions(extensions);
  return readAuthorityKeyIdentifier(extensions.get(OID.authorityKeyIdentifier));
}

function readNextUpdate(body: DerReader): number | undefined {
  const time = body.optional(TAG.utcTime, "nextUpdate") ?? body.optional(TAG.generalizedTime, "nextUpdate");
  return time === undefined ? undefined : readTime(new DerReader(time.whole), "nextUpdate");
}

/** Why and when a certificate was revoked changes nothing: it is, a certificate on hold too. */
function readEntries(list: DerReader, maxEntries: number): Set<string> {
  const serialNumbers = new Set<string>();
  while (!list.done) {
    const entry = list.enter(TAG.sequence, "entry");
    const serialNumber = readSerialNumber(entry, "serial number of an entry");
    // Its value is not used, and reading it is half the work of a long list.
    if (entry.optional(TAG.utcTime, "revocation date") === undefined)
      entry.read(TAG.generalizedTime, "revocation date");
    if (!entry.done) checkEntryExtensions(readExtensions(entry.enter(TAG.sequence, "entry extensions")));
    entry.end("entry");
    if (serialNumbers.size >= maxEntries)
      throw new DerFault(`more entries than the ${maxEntries} for which there is room`);
    serialNumbers.add(serialNumber);
  }
  return serialNumbers;
}

function checkEntryExtensions(extensions: ReadonlyMap<string, Extension>): void {
  for (const { oid, critical } of extensions.values()) {
    if (oid === OID.certificateIssuer)
      throw new DerFault("entry of another issuer: indirect lists are not taken");
    if (critical && oid !== OID.reasonCode && oid !== OID.invalidityDate)
      throw new DerFault(`entry extension ${oid}: critical and not known`);
  }
}

function checkListExtensions(extensions: ReadonlyMap<string, Extension>): void {
  for (const { oid, critical, value } of extensions.values()) {
    if (oid === OID.deltaCrlIndicator) throw new DerFault("delta lists are not taken, only complete ones");
    if (oid === OID.issuingDistributionPoint) checkDistributionPoint(value);
    else if (critical && oid !== OID.crlNumber && oid !== OID.authorityKeyIdentifier)
      throw new DerFault(`list extension ${oid}: critical and not known`);
  }
}

/**
 * Issuing distribution point (RFC 5280 §5.2.5). A list of only CA certificates, or for some reasons, still says the truth about
 * those on it; one that also speaks for other issuers would have to be read differently.
 */
function checkDistributionPoint(value: Uint8Array): void {
  const outer = new DerReader(value);
  const fields = outer.enter(TAG.sequence, "issuing distribution point");
  outer.end("issuing distribution point");
  while (!fields.done) {
    const { tag, content } = fields.any("issuing distribution point");
    const isTrue = content.length === 1 && content[0] === 0xff;
    if (tag === contextPrimitiveTag(4) && isTrue) throw new DerFault("indirect lists are not taken");
    if (tag === contextPrimitiveTag(5) && isTrue)
      throw new DerFault("list of attribute certificates, expected one of public key certificates");
  }
}
