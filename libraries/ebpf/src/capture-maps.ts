/** The capture programs' maps from outside: layouts of bpf/capture.h, and the few operations the agent needs. */

import { ipBytes } from "@meltemi/linux";
import { checkPodUid, MAX_UID_BYTES } from "./capture.ts";
import { bpfError } from "./kernel-object.ts";
import { libbpf, libbpfErrno } from "./libbpf.ts";

export interface PodEntry {
  readonly netnsCookie: bigint;
  readonly uid: string;
  readonly captureDns: boolean;
  readonly captureInbound: boolean;
  /** Un-enrolled, while ztunnel still connects what was captured. */
  readonly leaving: boolean;
}

const CAPTURES_DNS = 1;
const CAPTURES_INBOUND = 2;
const LEAVING = 4;
const POD_BYTES = 8 + MAX_UID_BYTES;
const ADDRESS_KEY_BYTES = 24;
const LISTENER_KEY_BYTES = 16;
const LISTENER_SLOTS = 4;
const ANY_NETNS = 0n;
const MAPPED_PREFIX = Buffer.from("00000000000000000000ffff", "hex");
const UPDATE_ANY = 0;
const UPDATE_NO_EXIST = 1;
const ENOENT = 2;
const EEXIST = 17;

export function encodePod(entry: PodEntry): Buffer {
  checkPodUid(entry.uid);
  const value = Buffer.alloc(POD_BYTES);
  value.writeUInt32LE(
    (entry.captureDns ? CAPTURES_DNS : 0) |
      (entry.captureInbound ? CAPTURES_INBOUND : 0) |
      (entry.leaving ? LEAVING : 0),
    0,
  );
  value.write(entry.uid, 8, "latin1");
  return value;
}

export function decodePod(netnsCookie: bigint, value: Buffer): PodEntry {
  const flags = value.readUInt32LE(0);
  const text = value.subarray(8);
  const end = text.indexOf(0);
  return {
    netnsCookie,
    uid: text.toString("utf8", 0, end < 0 ? text.length : end),
    captureDns: (flags & CAPTURES_DNS) !== 0,
    captureInbound: (flags & CAPTURES_INBOUND) !== 0,
    leaving: (flags & LEAVING) !== 0,
  };
}

/** Key of the `addresses` map: cookie, then the address with IPv4 in mapped form. */
export function encodeAddressKey(netnsCookie: bigint, ip: string): Buffer {
  const key = Buffer.alloc(ADDRESS_KEY_BYTES);
  key.writeBigUInt64LE(netnsCookie, 0);
  key.set(mappedIp(ip), 8);
  return key;
}

/** Value of the `own_address` map: the first address of each family, zeroes where there is none. */
export function encodeOwnAddress(addresses: readonly string[]): Buffer {
  const mapped = addresses.map(mappedIp);
  const first = (v4: boolean): Buffer =>
    mapped.find((ip) => ip.subarray(0, MAPPED_PREFIX.length).equals(MAPPED_PREFIX) === v4) ??
    Buffer.alloc(16);
  return Buffer.concat([first(true), first(false)]);
}

function mappedIp(ip: string): Buffer {
  const bytes = Buffer.from(ipBytes(ip));
  return bytes.length === 4 ? Buffer.concat([MAPPED_PREFIX, bytes]) : bytes;
}

export interface CaptureMaps {
  pods(): readonly PodEntry[];
  putPod(entry: PodEntry): void;
  /** Removes all there is of one namespace. */
  removePod(netnsCookie: bigint): void;
  /** Makes these the pod's addresses, the first own one of each family the one it is known by; others it had are removed. */
  setAddresses(netnsCookie: bigint, addresses: PodAddresses): void;
  /** Makes the entry that lets listeners be remembered; one that is there stays. */
  expectListeners(netnsCookie: bigint): void;
  hasListener(netnsCookie: bigint): boolean;
}

interface PodAddresses {
  /** All that its interfaces have; an app may add what it likes. */
  readonly own: readonly string[];
  /** Those that the cluster gave it, by which the node knows it: no app may take them from another pod. */
  readonly given: readonly string[];
}

interface MapFds {
  readonly pods: number;
  readonly addresses: number;
  readonly ownAddress: number;
  readonly newestListener: number;
  readonly listeners: number;
}

export function captureMaps(fds: MapFds): CaptureMaps {
  /** Its own entries, and the node's that still mean it: an address may be another pod's by now. */
  const addressKeys = (netnsCookie: bigint): Buffer[] =>
    keysOf(fds.addresses, ADDRESS_KEY_BYTES).filter((key) => {
      const netns = key.readBigUInt64LE(0);
      if (netns !== ANY_NETNS) return netns === netnsCookie;
      return lookup(fds.addresses, key, 8)?.readBigUInt64LE(0) === netnsCookie;
    });
  return {
    pods: () =>
      keysOf(fds.pods, 8).flatMap((key) => {
        const value = lookup(fds.pods, key, POD_BYTES);
        return value === undefined ? [] : [decodePod(key.readBigUInt64LE(0), value)];
      }),
    putPod: (entry) => put(fds.pods, cookieKey(entry.netnsCookie), encodePod(entry), "pod"),
    removePod(netnsCookie) {
      removeKey(fds.pods, cookieKey(netnsCookie));
      removeKey(fds.newestListener, cookieKey(netnsCookie));
      removeKey(fds.ownAddress, cookieKey(netnsCookie));
      for (let slot = 0; slot < LISTENER_SLOTS; slot++)
        removeKey(fds.listeners, listenerKey(netnsCookie, slot));
      for (const key of addressKeys(netnsCookie)) removeKey(fds.addresses, key);
    },
    setAddresses(netnsCookie, { own, given }) {
      const wanted = [
        ...own.map((ip) => encodeAddressKey(netnsCookie, ip)),
        ...given.map((ip) => encodeAddressKey(ANY_NETNS, ip)),
      ];
      for (const key of addressKeys(netnsCookie))
        if (!wanted.some((other) => other.equals(key))) removeKey(fds.addresses, key);
      for (const key of wanted) put(fds.addresses, key, cookieKey(netnsCookie), "address");
      put(fds.ownAddress, cookieKey(netnsCookie), encodeOwnAddress(own), "own address");
    },
    expectListeners(netnsCookie) {
      const slot = Buffer.alloc(4);
      const result = libbpf().mapUpdate(fds.newestListener, cookieKey(netnsCookie), slot, UPDATE_NO_EXIST);
      if (result !== 0 && result !== -EEXIST) throw bpfError("write map entry", "newest_listener", -result);
    },
    hasListener: (netnsCookie) =>
      Array.from({ length: LISTENER_SLOTS }, (_, slot) => listenerKey(netnsCookie, slot)).some(
        (key) => lookup(fds.listeners, key, 8) !== undefined,
      ),
  };
}

function cookieKey(netnsCookie: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64LE(netnsCookie, 0);
  return key;
}

function listenerKey(netnsCookie: bigint, slot: number): Buffer {
  const key = Buffer.alloc(LISTENER_KEY_BYTES);
  key.writeBigUInt64LE(netnsCookie, 0);
  key.writeUInt32LE(slot, 8);
  return key;
}

function put(fd: number, key: Buffer, value: Buffer, what: string): void {
  const result = libbpf().mapUpdate(fd, key, value, UPDATE_ANY);
  if (result !== 0) throw bpfError("write map entry", what, -result);
}

function lookup(fd: number, key: Buffer, valueBytes: number): Buffer | undefined {
  const value = Buffer.alloc(valueBytes);
  const result = libbpf().mapLookup(fd, key, value);
  if (result === 0) return value;
  if (result === -ENOENT) return undefined;
  throw bpfError("read map entry", `of descriptor ${fd}`, -result);
}

function removeKey(fd: number, key: Buffer): void {
  const result = libbpf().mapDelete(fd, key);
  // A socket map answers EINVAL for an empty slot.
  if (result !== 0 && libbpfErrno() !== ENOENT && result !== -ENOENT && result !== -22)
    throw bpfError("remove map entry", `of descriptor ${fd}`, -result);
}

/** All keys at one moment; keys that come or go meanwhile may be missed. */
function keysOf(fd: number, keyBytes: number): Buffer[] {
  const keys: Buffer[] = [];
  let last: Buffer | null = null;
  for (;;) {
    const next = Buffer.alloc(keyBytes);
    if (libbpf().mapNextKey(fd, last, next) !== 0) return keys;
    keys.push(next);
    last = next;
  }
}
