/** Options of an open socket (socket(7), tcp(7), ip(7)). */

import { checked, ERRNO, kernelError } from "./failure.ts";
import { fixedMemory, lastErrno, libc } from "./libc.ts";
import { AF_INET6, decodeSocketAddress, SOCKADDR_BYTES, type SocketAddress } from "./socket-address.ts";

export const SOL_SOCKET = 1;
export const SOL_IP = 0;
const SOL_TCP = 6;
export const SOL_IPV6 = 41;
export const SO_REUSEADDR = 2;
export const SO_REUSEPORT = 15;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IPV6_V6ONLY = 26;

const SO_KEEPALIVE = 9;
const SO_MARK = 36;
const SO_DOMAIN = 39;
const IP_TRANSPARENT = 19;
const IPV6_TRANSPARENT = 75;
const SO_ORIGINAL_DST = 80;
const TCP_NODELAY = 1;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;
const SHUT_WR = 1;

export interface KeepAlive {
  /** Silence before the first probe, in whole seconds. */
  readonly idleSeconds: number;
  readonly intervalSeconds: number;
  readonly probes: number;
}

export interface SocketOptions {
  readonly mark?: number | undefined;
  readonly noDelay?: boolean | undefined;
  readonly keepAlive?: KeepAlive | undefined;
  /** TCP_USER_TIMEOUT: unacknowledged data older than this ends the connection. */
  readonly userTimeoutMs?: number | undefined;
}

/** Sets one integer option, or throws KERNEL naming `what`. */
export function setIntegerOption(fd: number, level: number, name: number, value: number, what: string): void {
  checked(`set ${what}`, trySetIntegerOption(fd, level, name, value), `to ${value}`);
}

/**
 * What the kernel reads and writes within one call. Fresh memory for each of the twenty calls of a proxied connection was a tenth
 * of its CPU time: the C library needs an address, and for that V8 gives every small array a `malloc` of its own.
 */
const INTEGER = fixedMemory(4);
const LENGTH = fixedMemory(4);
const ADDRESS = fixedMemory(SOCKADDR_BYTES);

function trySetIntegerOption(fd: number, level: number, name: number, value: number): number {
  INTEGER.writeInt32LE(value | 0);
  return libc.setsockopt(fd, level, name, INTEGER, 4);
}

function integerOption(fd: number, level: number, name: number, what: string): number {
  LENGTH.writeUInt32LE(4);
  checked(`read ${what}`, libc.getsockopt(fd, level, name, INTEGER, LENGTH));
  return INTEGER.readInt32LE();
}

/** Sets what is given and leaves the rest. */
export function setSocketOptions(fd: number, options: SocketOptions): void {
  const { mark, noDelay, keepAlive, userTimeoutMs } = options;
  if (mark !== undefined) setIntegerOption(fd, SOL_SOCKET, SO_MARK, mark, "SO_MARK");
  if (noDelay !== undefined) setIntegerOption(fd, SOL_TCP, TCP_NODELAY, noDelay ? 1 : 0, "TCP_NODELAY");
  if (keepAlive !== undefined) {
    setIntegerOption(fd, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
    setIntegerOption(fd, SOL_TCP, TCP_KEEPIDLE, keepAlive.idleSeconds, "TCP_KEEPIDLE");
    setIntegerOption(fd, SOL_TCP, TCP_KEEPINTVL, keepAlive.intervalSeconds, "TCP_KEEPINTVL");
    setIntegerOption(fd, SOL_TCP, TCP_KEEPCNT, keepAlive.probes, "TCP_KEEPCNT");
  }
  if (userTimeoutMs !== undefined)
    setIntegerOption(fd, SOL_TCP, TCP_USER_TIMEOUT, userTimeoutMs, "TCP_USER_TIMEOUT");
}

/**
 * Lets a socket use addresses that are not the machine's own. Needs CAP_NET_ADMIN or CAP_NET_RAW in the namespace's owner;
 * false when the kernel refuses for want of it.
 */
export function trySetTransparent(fd: number, family: number): boolean {
  const [level, name] = family === AF_INET6 ? [SOL_IPV6, IPV6_TRANSPARENT] : [SOL_IP, IP_TRANSPARENT];
  if (trySetIntegerOption(fd, level, name, 1) === 0) return true;
  const errno = lastErrno();
  if (errno === ERRNO.EPERM || errno === ERRNO.EACCES) return false;
  throw kernelError("set IP_TRANSPARENT", errno);
}

export function socketMark(fd: number): number {
  return integerOption(fd, SOL_SOCKET, SO_MARK, "SO_MARK") >>> 0;
}

type ReadsAddress = (fd: number, address: Uint8Array, length: Uint8Array) => number;

function readAddress(operation: string, fd: number, read: ReadsAddress): SocketAddress {
  LENGTH.writeUInt32LE(SOCKADDR_BYTES);
  checked(operation, read(fd, ADDRESS, LENGTH), `of descriptor ${fd}`);
  const address = decodeSocketAddress(ADDRESS.subarray(0, Math.min(LENGTH.readUInt32LE(), SOCKADDR_BYTES)));
  if (address === undefined) throw kernelError(operation, ERRNO.EAFNOSUPPORT, `of descriptor ${fd}`);
  return address;
}

export function localAddress(fd: number): SocketAddress {
  return readAddress("read local address", fd, libc.getsockname);
}

export function peerAddress(fd: number): SocketAddress {
  return readAddress("read peer address", fd, libc.getpeername);
}

/**
 * Where the client of an accepted, redirected connection wanted to go (SO_ORIGINAL_DST, on IPv6 IP6T_SO_ORIGINAL_DST: both 80).
 * Undefined when the kernel knows of none: the connection was not redirected, or the record is gone. As Istio's ztunnel does,
 * IPv4 is asked first, since a dual-stack listener accepts both.
 */
export function originalDestination(fd: number): SocketAddress | undefined {
  const v4 = askOriginalDestination(fd, SOL_IP);
  if (v4 !== undefined || integerOption(fd, SOL_SOCKET, SO_DOMAIN, "SO_DOMAIN") !== AF_INET6) return v4;
  return askOriginalDestination(fd, SOL_IPV6);
}

function askOriginalDestination(fd: number, level: number): SocketAddress | undefined {
  // The kernel wants room for exactly its own structure: 16 bytes for IPv4, 28 for IPv6.
  LENGTH.writeUInt32LE(level === SOL_IP ? 16 : SOCKADDR_BYTES);
  if (libc.getsockopt(fd, level, SO_ORIGINAL_DST, ADDRESS, LENGTH) === 0)
    return decodeSocketAddress(ADDRESS.subarray(0, LENGTH.readUInt32LE()));
  const errno = lastErrno();
  const unknown: readonly number[] = [ERRNO.ENOENT, ERRNO.ENOPROTOOPT, ERRNO.EOPNOTSUPP, ERRNO.EINVAL];
  if (unknown.includes(errno)) return undefined;
  throw kernelError("read original destination", errno, `of descriptor ${fd}`);
}

/** Sends FIN and keeps reading. */
export function shutdownWrite(fd: number): void {
  checked("shut down writing", libc.shutdown(fd, SHUT_WR), `of descriptor ${fd}`);
}

export function closeFd(fd: number): void {
  checked("close", libc.close(fd), `descriptor ${fd}`);
}
