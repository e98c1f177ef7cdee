/**
 * A resource encoded once for all clients. A response is made by putting encoded resources end to end: nothing is
 * serialized per client but the few fields around them (reference: performance §3).
 */

import { hash } from "node:crypto";
import { BinaryWriter } from "@bufbuild/protobuf/wire";

export interface EncodedResource {
  readonly name: string;
  /** Hash of the content: equal content has an equal version, in every replica and after every restart. */
  readonly version: string;
  /** `name`, then the aliases, then the names under which clients want to hear of it too. */
  readonly keys: readonly string[];
  /** `network/ip`: other names of the same thing. Clients on demand are told. */
  readonly aliases: readonly string[];
  /** The message `Resource` without aliases. */
  readonly body: Uint8Array;
}

export interface ResourceSource {
  readonly typeUrl: string;
  readonly name: string;
  /** The encoded message itself. */
  readonly value: Uint8Array;
  readonly aliases?: readonly string[];
  /** A workload: the services it backs, and {@link nodeKey} of its node. A watch of one of these brings it too. */
  readonly related?: readonly string[];
}

const LENGTH_DELIMITED = 2;
const field = (number: number): number => (number << 3) | LENGTH_DELIMITED;

/** Resource { string version 1; Any resource 2; string name 3; repeated string aliases 4 } */
const RESOURCE_VERSION = field(1);
const RESOURCE_ANY = field(2);
const RESOURCE_NAME = field(3);
const RESOURCE_ALIAS = field(4);
/** Any { string type_url 1; bytes value 2 } */
const ANY_TYPE_URL = field(1);
const ANY_VALUE = field(2);
/** DeltaDiscoveryResponse { string system_version_info 1; repeated Resource resources 2; type_url 4; nonce 5; removed_resources 6 } */
const RESPONSE_RESOURCE = field(2);
const RESPONSE_TYPE_URL = field(4);
const RESPONSE_NONCE = field(5);
const RESPONSE_REMOVED = field(6);

/** 64 bits of SHA-256: two contents of one name would have to collide to be mistaken for each other. */
const VERSION_HEX_DIGITS = 16;

export function encodeResource(source: ResourceSource): EncodedResource {
  const { name, aliases = [], related = [] } = source;
  const version = hash("sha256", source.value, "hex").slice(0, VERSION_HEX_DIGITS);
  const any = new BinaryWriter()
    .uint32(ANY_TYPE_URL)
    .string(source.typeUrl)
    .uint32(ANY_VALUE)
    .bytes(source.value)
    .finish();
  const body = new BinaryWriter()
    .uint32(RESOURCE_VERSION)
    .string(version)
    .uint32(RESOURCE_ANY)
    .bytes(any)
    .uint32(RESOURCE_NAME)
    .string(name)
    .finish();
  return { name, version, keys: [name, ...aliases, ...related], aliases, body };
}

export interface ResponseParts {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly EncodedResource[];
  readonly removedNames: readonly string[];
  /** Clients on demand know things by address and must hear the aliases; wildcard clients need not. */
  readonly withAliases: boolean;
}

/** Bytes of a DeltaDiscoveryResponse. */
export function encodeResponse(parts: ResponseParts): Buffer {
  const head = new BinaryWriter()
    .uint32(RESPONSE_TYPE_URL)
    .string(parts.typeUrl)
    .uint32(RESPONSE_NONCE)
    .string(parts.nonce);
  for (const name of parts.removedNames) head.uint32(RESPONSE_REMOVED).string(name);
  const chunks: Uint8Array[] = [head.finish()];
  for (const resource of parts.resources) {
    const aliases = parts.withAliases ? encodeAliases(resource.aliases) : NO_BYTES;
    const length = resource.body.length + aliases.length;
    chunks.push(new BinaryWriter().uint32(RESPONSE_RESOURCE).uint32(length).finish(), resource.body, aliases);
  }
  return Buffer.concat(chunks);
}

const NO_BYTES = new Uint8Array();

function encodeAliases(aliases: readonly string[]): Uint8Array {
  if (aliases.length === 0) return NO_BYTES;
  const writer = new BinaryWriter();
  for (const alias of aliases) writer.uint32(RESOURCE_ALIAS).string(alias);
  return writer.finish();
}

/** Key of everything that runs on a node. The leading NUL keeps it apart from names that clients may send. */
export function nodeKey(nodeName: string): string {
  return `\0node/${nodeName}`;
}
