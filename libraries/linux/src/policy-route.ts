/**
 * The route that brings an app's replies back to ztunnel when ztunnel connected to it under the client's address: packets with the
 * return mark are local, whatever their destination. Written by rtnetlink(7), so that no `ip` program is needed in the image.
 */

import { checked, ERRNO, kernelError } from "./failure.ts";
import { libc } from "./libc.ts";
import { AF_INET, AF_INET6 } from "./socket-address.ts";

export interface ReturnRoute {
  readonly mark: number;
  readonly mask: number;
  readonly table: number;
  readonly priority: number;
}

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const RTM_NEWROUTE = 24;
const RTM_NEWRULE = 32;
const NLM_F_REQUEST_ACK_CREATE_EXCL = 0x1 | 0x4 | 0x400 | 0x200;
const NLMSG_ERROR = 2;
const NLMSG_HEADER_BYTES = 16;
const FRA = { priority: 6, fwmark: 10, table: 15, fwmask: 16 } as const;
const RTA_OIF = 4;
const FR_ACT_TO_TBL = 1;
const RTPROT_STATIC = 4;
const RT_SCOPE_HOST = 254;
const RTN_LOCAL = 2;
const LOOPBACK_IFINDEX = 1;
/** An ACK is 36 bytes and echoes the request when it fails. */
const REPLY_BYTES = 512;

/** Adds rule and route to the calling thread's namespace, for IPv4 and when asked for IPv6; what is there already stays. */
export function addReturnRoute(route: ReturnRoute, ipv6: boolean): void {
  const fd = checked("open route socket", libc.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE));
  try {
    for (const family of ipv6 ? [AF_INET, AF_INET6] : [AF_INET]) {
      request(fd, "add policy rule", RTM_NEWRULE, ruleBody(family, route));
      request(fd, "add return route", RTM_NEWROUTE, routeBody(family, route));
    }
  } finally {
    libc.close(fd);
  }
}

function ruleBody(family: number, route: ReturnRoute): Buffer {
  const header = Buffer.from([family, 0, 0, 0, route.table, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0]);
  const attributes = [
    attribute(FRA.fwmark, route.mark),
    attribute(FRA.fwmask, route.mask),
    attribute(FRA.priority, route.priority),
    attribute(FRA.table, route.table),
  ];
  return Buffer.concat([header, ...attributes]);
}

function routeBody(family: number, route: ReturnRoute): Buffer {
  const header = Buffer.from([
    family,
    0,
    0,
    0,
    route.table,
    RTPROT_STATIC,
    RT_SCOPE_HOST,
    RTN_LOCAL,
    0,
    0,
    0,
    0,
  ]);
  return Buffer.concat([header, attribute(RTA_OIF, LOOPBACK_IFINDEX)]);
}

function attribute(type: number, value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(8, 0);
  bytes.writeUInt16LE(type, 2);
  bytes.writeUInt32LE(value, 4);
  return bytes;
}

function request(fd: number, operation: string, type: number, body: Buffer): void {
  const message = Buffer.alloc(NLMSG_HEADER_BYTES + body.length);
  message.writeUInt32LE(message.length, 0);
  message.writeUInt16LE(type, 4);
  message.writeUInt16LE(NLM_F_REQUEST_ACK_CREATE_EXCL, 6);
  message.set(body, NLMSG_HEADER_BYTES);
  checked(operation, libc.write(fd, message, message.length));
  const reply = Buffer.alloc(REPLY_BYTES);
  const length = checked(operation, libc.read(fd, reply, reply.length));
  if (length < NLMSG_HEADER_BYTES + 4 || reply.readUInt16LE(4) !== NLMSG_ERROR)
    throw kernelError(operation, ERRNO.EPROTO);
  const errno = -reply.readInt32LE(NLMSG_HEADER_BYTES);
  if (errno !== 0 && errno !== ERRNO.EEXIST) throw kernelError(operation, errno);
}
