/** HTTP/1.1 connections by bare system calls; every answer is compared with what it must be. */

import { startTcpConnect } from "@meltemi/linux";
import { PollSet, readRaw, type Watched, writeRaw } from "../l4/raw-sockets.ts";
import type { Lane, Lanes, OnAnswer } from "./lanes.ts";
import { type Asked, AUTHORITY, BODY, VERSION_HEADER } from "./traffic.ts";

const STATUS = Buffer.from("HTTP/1.1 200");
const HEAD_END = Buffer.from("\r\n\r\n");
const ANSWER_BYTES = 16 * 1024;

/** A request as bytes, and the line that its answer must have. */
interface Prepared {
  readonly bytes: Buffer;
  readonly versionLine: Buffer;
}

export function openHttp1Lanes(port: number, count: number, asked: readonly Asked[]): Lanes {
  const set = new PollSet(count);
  const requests = asked.map(prepare);
  const lanes: Connection[] = [];
  const opened: Lanes = {
    lanes,
    onAnswer: () => undefined,
    turn: (waitMs) => void set.turn(waitMs),
    close: () => set[Symbol.dispose](),
  };
  for (let index = 0; index < count; index++)
    lanes.push(new Connection(port, set, requests, index, (lane, right) => opened.onAnswer(lane, right)));
  return opened;
}

function prepare({ path, headers, answeredBy }: Asked): Prepared {
  const fields = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return {
    bytes: Buffer.from(`GET ${path} HTTP/1.1\r\nhost: ${AUTHORITY}\r\n${fields}\r\n`),
    versionLine: Buffer.from(`\r\n${VERSION_HEADER}: ${answeredBy}\r\n`),
  };
}

class Connection implements Lane, Watched {
  readonly fd: number;
  readonly #set: PollSet;
  readonly #requests: readonly Prepared[];
  readonly #onAnswer: OnAnswer;
  readonly #answer = Buffer.allocUnsafeSlow(ANSWER_BYTES);
  #next: number;
  #asked: Prepared | undefined;
  #received = 0;
  #connected = false;

  constructor(port: number, set: PollSet, requests: readonly Prepared[], first: number, onAnswer: OnAnswer) {
    this.fd = startTcpConnect({ destination: { ip: "127.0.0.1", port } });
    this.#set = set;
    this.#requests = requests;
    this.#next = first % requests.length;
    this.#onAnswer = onAnswer;
    set.add(this, "writable");
  }

  send(): void {
    this.#asked = this.#requests[this.#next];
    this.#next = (this.#next + 1) % this.#requests.length;
    this.#received = 0;
    if (this.#connected && this.#asked !== undefined) writeRaw(this.fd, this.#asked.bytes);
  }

  onReady(): void {
    if (!this.#connected) {
      this.#connected = true;
      this.#set.awaitReadable(this);
      if (this.#asked !== undefined) writeRaw(this.fd, this.#asked.bytes);
      return;
    }
    const length = readRaw(this.fd, this.#answer, this.#received);
    if (length === 0) throw new Error("a connection was closed before its answer");
    this.#received += length;
    const headEnd = this.#answer.indexOf(HEAD_END) + HEAD_END.length;
    if (headEnd < HEAD_END.length || headEnd > this.#received) return;
    if (this.#received < headEnd + BODY.length) return;
    this.#onAnswer(this, this.#isRight(headEnd));
  }

  #isRight(headEnd: number): boolean {
    const answer = this.#answer;
    const lineAt = this.#asked === undefined ? -1 : answer.indexOf(this.#asked.versionLine);
    return (
      this.#received === headEnd + BODY.length &&
      answer.compare(STATUS, 0, STATUS.length, 0, STATUS.length) === 0 &&
      lineAt > 0 &&
      lineAt < headEnd &&
      answer.compare(BODY, 0, BODY.length, headEnd, this.#received) === 0
    );
  }
}
