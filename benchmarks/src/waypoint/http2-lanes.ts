/** Streams of a few HTTP/2 connections; every answer is compared with what it must be. */

import { once } from "node:events";
import { connect } from "node:net";
import {
  type ClientConnection,
  createHttp2Client,
  HeaderFields,
  HTTP2_CLIENT_DEFAULTS,
  type HttpFault,
  type RequestHead,
  type ResponseHead,
  type ResponseReceiver,
} from "@meltemi/http";
import { tcpChannel } from "@meltemi/l4";
import { systemClock } from "@meltemi/runtime";
import type { Lane, Lanes, OnAnswer } from "./lanes.ts";
import { type Asked, AUTHORITY, BODY, VERSION_HEADER, type Version } from "./traffic.ts";

const STREAMS_PER_CONNECTION = 8;

interface Prepared {
  readonly head: RequestHead;
  readonly answeredBy: Version;
}

export async function openHttp2Lanes(port: number, count: number, asked: readonly Asked[]): Promise<Lanes> {
  const requests = asked.map(prepare);
  const connections: ClientConnection[] = [];
  const lanes: Stream[] = [];
  const state = { fault: undefined as string | undefined };
  const opened: Lanes = {
    lanes,
    onAnswer: () => undefined,
    turn: async (waitMs) => {
      await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (state.fault !== undefined) throw new Error(state.fault);
    },
    close: () => {
      for (const connection of connections) connection.close();
    },
  };
  while (connections.length * STREAMS_PER_CONNECTION < count) connections.push(await open(port));
  for (const [index, connection] of connections.entries())
    for (let stream = 0; stream < STREAMS_PER_CONNECTION; stream++)
      lanes.push(
        new Stream(
          connection,
          requests,
          index * STREAMS_PER_CONNECTION + stream,
          (lane, right) => opened.onAnswer(lane, right),
          (why) => {
            state.fault ??= why;
          },
        ),
      );
  return opened;
}

async function open(port: number): Promise<ClientConnection> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
  await once(socket, "connect");
  const owner = { onCapacity() {}, onDraining() {}, onClosed() {} };
  return createHttp2Client(tcpChannel(socket), owner, HTTP2_CLIENT_DEFAULTS, {
    clock: systemClock,
    onInternalError: (error) => {
      throw error;
    },
  });
}

function prepare({ path, headers, answeredBy }: Asked): Prepared {
  return {
    answeredBy,
    head: {
      version: "HTTP/2",
      method: "GET",
      scheme: "http",
      authority: AUTHORITY,
      path,
      headers: HeaderFields.of(...headers),
      expectsContinue: false,
    },
  };
}

class Stream implements Lane, ResponseReceiver {
  readonly #connection: ClientConnection;
  readonly #requests: readonly Prepared[];
  readonly #onAnswer: OnAnswer;
  readonly #onBroken: (why: string) => void;
  #next: number;
  #answeredBy: Version = "v1";
  #received = 0;
  #right = false;

  constructor(
    connection: ClientConnection,
    requests: readonly Prepared[],
    first: number,
    onAnswer: OnAnswer,
    onBroken: (why: string) => void,
  ) {
    this.#connection = connection;
    this.#requests = requests;
    this.#next = first % requests.length;
    this.#onAnswer = onAnswer;
    this.#onBroken = onBroken;
  }

  send(): void {
    const request = this.#requests[this.#next];
    this.#next = (this.#next + 1) % this.#requests.length;
    if (request === undefined) return;
    this.#answeredBy = request.answeredBy;
    this.#received = 0;
    this.#connection.send(request.head, true, this);
  }

  onInformational(): void {}

  onResponse(head: ResponseHead, ended: boolean): void {
    this.#right = head.status === 200 && head.headers.get(VERSION_HEADER) === this.#answeredBy && !ended;
    if (ended) this.#onAnswer(this, false);
  }

  onData(chunk: Uint8Array): void {
    const from = this.#received;
    this.#received += chunk.length;
    this.#right &&=
      this.#received <= BODY.length && BODY.compare(chunk, 0, chunk.length, from, this.#received) === 0;
  }

  onEnd(): void {
    this.#onAnswer(this, this.#right && this.#received === BODY.length);
  }

  onWritable(): void {}

  onFault(fault: HttpFault): void {
    this.#onBroken(`${fault.kind}: ${fault.detail}`);
  }
}
