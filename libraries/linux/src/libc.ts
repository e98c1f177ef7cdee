/**
 * The C library's calls, one line each. Nothing outside this room knows koffi: node:ffi may replace it one day.
 * Buffers are passed by address, without a copy; a pointer inside a structure is written with {@link addressOf}.
 */

import koffi from "koffi";

const library = koffi.load("libc.so.6");

type Pointer = Uint8Array | bigint | null;

export const libc = {
  socket: library.func("int socket(int family, int type, int protocol)") as (
    family: number,
    type: number,
    protocol: number,
  ) => number,
  bind: library.func("int bind(int fd, void *address, uint32_t length)") as (
    fd: number,
    address: Pointer,
    length: number,
  ) => number,
  listen: library.func("int listen(int fd, int backlog)") as (fd: number, backlog: number) => number,
  connect: library.func("int connect(int fd, void *address, uint32_t length)") as (
    fd: number,
    address: Pointer,
    length: number,
  ) => number,
  accept4: library.func("int accept4(int fd, void *address, void *length, int flags)") as (
    fd: number,
    address: Pointer,
    length: Pointer,
    flags: number,
  ) => number,
  getsockopt: library.func("int getsockopt(int fd, int level, int name, void *value, void *length)") as (
    fd: number,
    level: number,
    name: number,
    value: Pointer,
    length: Pointer,
  ) => number,
  setsockopt: library.func("int setsockopt(int fd, int level, int name, void *value, uint32_t length)") as (
    fd: number,
    level: number,
    name: number,
    value: Pointer,
    length: number,
  ) => number,
  getsockname: library.func("int getsockname(int fd, void *address, void *length)") as (
    fd: number,
    address: Pointer,
    length: Pointer,
  ) => number,
  getpeername: library.func("int getpeername(int fd, void *address, void *length)") as (
    fd: number,
    address: Pointer,
    length: Pointer,
  ) => number,
  sendmsg: library.func("long sendmsg(int fd, void *message, int flags)") as (
    fd: number,
    message: Pointer,
    flags: number,
  ) => number,
  recvmsg: library.func("long recvmsg(int fd, void *message, int flags)") as (
    fd: number,
    message: Pointer,
    flags: number,
  ) => number,
  poll: library.func("int poll(void *entries, unsigned long count, int timeoutMs)") as (
    entries: Pointer,
    count: number,
    timeoutMs: number,
  ) => number,
  shutdown: library.func("int shutdown(int fd, int how)") as (fd: number, how: number) => number,
  close: library.func("int close(int fd)") as (fd: number) => number,
  eventfd: library.func("int eventfd(unsigned int initial, int flags)") as (
    initial: number,
    flags: number,
  ) => number,
  write: library.func("long write(int fd, void *bytes, size_t length)") as (
    fd: number,
    bytes: Pointer,
    length: number,
  ) => number,
  read: library.func("long read(int fd, void *bytes, size_t length)") as (
    fd: number,
    bytes: Pointer,
    length: number,
  ) => number,
  setns: library.func("int setns(int fd, int kind)") as (fd: number, kind: number) => number,
  /** Variadic in C; every request used here takes no argument. */
  ioctl: library.func("int ioctl(int fd, unsigned long request)") as (fd: number, request: number) => number,
  inetPton: library.func("int inet_pton(int family, const char *text, void *bytes)") as (
    family: number,
    text: string,
    bytes: Pointer,
  ) => number,
  mount: library.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, void *data)",
  ) as (source: string, target: string, type: string, flags: number, data: Pointer) => number,
} as const;

/** errno of the call made just before, on this thread. */
export function lastErrno(): number {
  return koffi.errno();
}

/**
 * Memory whose address stays put for as long as the caller holds it: for structures that point to one another.
 * (A small Buffer from Node's shared pool would do as well, but its slice could be handed out again.)
 */
export function fixedMemory(byteLength: number): Buffer {
  return Buffer.allocUnsafeSlow(byteLength).fill(0);
}

export function addressOf(memory: Uint8Array): bigint {
  return koffi.address(memory);
}
