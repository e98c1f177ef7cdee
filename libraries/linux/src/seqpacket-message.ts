/** One message of a unix socket: bytes with descriptors, through `struct msghdr` and `struct cmsghdr` (cmsg(3), 64-bit layout). */

import { MeshError } from "@meltemi/runtime";
import { ERRNO, kernelError } from "./failure.ts";
import { addressOf, fixedMemory, lastErrno, libc } from "./libc.ts";

export interface Packet {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
  /** Bytes or descriptors were cut off because the message was larger than {@link MAX_PACKET_BYTES} or carried too many. */
  readonly truncated: boolean;
}

/** ZDS packets have at most 1024 bytes (reference: protocol §3.5); a longer one is reported as truncated. */
export const MAX_PACKET_BYTES = 1024;
/** One is expected; a few more are received, so that a peer's mistake is seen and the descriptors are closed. */
const MAX_PACKET_FDS = 4;

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;
const CMSG_HEADER_BYTES = 16;
const CONTROL_BYTES = CMSG_HEADER_BYTES + MAX_PACKET_FDS * 4;
const OFFSET = { iov: 16, iovCount: 24, control: 32, controlLength: 40, flags: 48 } as const;

interface Envelope {
  readonly header: Buffer;
  readonly control: Buffer;
  /** Held so that the memory the header points to lives as long as the header. */
  readonly held: readonly Buffer[];
}

function envelope(bytes: Buffer, control: Buffer): Envelope {
  const header = fixedMemory(MSGHDR_BYTES);
  const iovec = fixedMemory(IOVEC_BYTES);
  iovec.writeBigUInt64LE(addressOf(bytes), 0);
  iovec.writeBigUInt64LE(BigInt(bytes.length), 8);
  header.writeBigUInt64LE(addressOf(iovec), OFFSET.iov);
  header.writeBigUInt64LE(1n, OFFSET.iovCount);
  if (control.length > 0) {
    header.writeBigUInt64LE(addressOf(control), OFFSET.control);
    header.writeBigUInt64LE(BigInt(control.length), OFFSET.controlLength);
  }
  return { header, control, held: [bytes, iovec] };
}

/** Sends without waiting; "again" when the queue is full. */
export function sendPacket(fd: number, bytes: Uint8Array, fds: readonly number[]): undefined | "again" {
  if (bytes.length === 0 || bytes.length > MAX_PACKET_BYTES || fds.length > MAX_PACKET_FDS) {
    throw new MeshError(
      "LIMIT_EXCEEDED",
      `send packet of ${bytes.length} bytes with ${fds.length} descriptors: expected 1 to ${MAX_PACKET_BYTES} bytes and at most ${MAX_PACKET_FDS} descriptors`,
    );
  }
  const body = fixedMemory(bytes.length);
  body.set(bytes);
  const message = envelope(body, rightsControl(fds));
  for (;;) {
    if (libc.sendmsg(fd, message.header, MSG_DONTWAIT | MSG_NOSIGNAL) === bytes.length) return undefined;
    const errno = lastErrno();
    if (errno === ERRNO.EAGAIN) return "again";
    if (errno !== ERRNO.EINTR) throw kernelError("send packet", errno, `of ${bytes.length} bytes`);
  }
}

function rightsControl(fds: readonly number[]): Buffer {
  if (fds.length === 0) return fixedMemory(0);
  const length = CMSG_HEADER_BYTES + fds.length * 4;
  // CMSG_SPACE: padded to the size of a pointer.
  const control = fixedMemory(Math.ceil(length / 8) * 8);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, fd] of fds.entries()) control.writeInt32LE(fd, CMSG_HEADER_BYTES + index * 4);
  return control;
}

/** Receives without waiting; "again" when there is nothing, undefined at the end. */
export function receivePacket(fd: number): Packet | undefined | "again" {
  const bytes = fixedMemory(MAX_PACKET_BYTES);
  const message = envelope(bytes, fixedMemory(CONTROL_BYTES));
  for (;;) {
    const count = libc.recvmsg(fd, message.header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count >= 0) return packetOf(message, bytes.subarray(0, count));
    const errno = lastErrno();
    if (errno === ERRNO.EAGAIN) return "again";
    // The peer was killed with our packet unread: to the reader that is the end.
    if (errno === ERRNO.ECONNRESET) return undefined;
    if (errno !== ERRNO.EINTR) throw kernelError("receive packet", errno);
  }
}

function packetOf(message: Envelope, bytes: Uint8Array): Packet | undefined {
  const controlLength = Number(message.header.readBigUInt64LE(OFFSET.controlLength));
  const fds = receivedDescriptors(message.control.subarray(0, controlLength));
  const flags = message.header.readInt32LE(OFFSET.flags);
  const truncated = (flags & (MSG_TRUNC | MSG_CTRUNC)) !== 0;
  if (bytes.length === 0 && fds.length === 0 && !truncated) return undefined;
  return { bytes, fds, truncated };
}

function receivedDescriptors(control: Buffer): number[] {
  const fds: number[] = [];
  let at = 0;
  while (at + CMSG_HEADER_BYTES <= control.length) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < CMSG_HEADER_BYTES) break;
    if (control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS) {
      const end = Math.min(at + length, control.length);
      for (let fd = at + CMSG_HEADER_BYTES; fd + 4 <= end; fd += 4) fds.push(control.readInt32LE(fd));
    }
    at += Math.ceil(length / 8) * 8;
  }
  return fds;
}
