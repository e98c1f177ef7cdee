/** What a server answers: who it is, and what reached it. */

import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { Behaviour } from "./command.ts";

export interface Server {
  readonly identity: { readonly pod: string; readonly version: string };
  readonly behaviour: Behaviour;
}

export interface Report {
  readonly pod: string;
  readonly version: string;
  readonly protocol: string;
  readonly method: string;
  /** As it was on the request line, with its query. */
  readonly path: string;
  readonly host: string;
  /** Names in lower case; several fields of a name joined by ", ". */
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly body: { readonly bytes: number; readonly beginning: string };
  readonly port: number;
  readonly clientAddress: string;
  /** The header of the PROXY protocol, on ports that ask for it. */
  readonly proxyHeader?: string;
  /** Which connection of this process: a number. */
  readonly connection: number;
}

/** Enough to see whether it is the right one. */
const SHOWN_BODY_CHARACTERS = 256;

const numbers = new WeakMap<Socket, number>();
let connections = 0;

export function numberOf(socket: Socket): number {
  const known = numbers.get(socket);
  if (known !== undefined) return known;
  numbers.set(socket, ++connections);
  return connections;
}

export function describeBody(body: Buffer): Report["body"] {
  return { bytes: body.length, beginning: body.toString("latin1", 0, SHOWN_BODY_CHARACTERS) };
}

export function plainHeaders(headers: IncomingHttpHeaders): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !name.startsWith(":"))
      plain[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return plain;
}
