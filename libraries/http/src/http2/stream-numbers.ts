/** Numbers of the streams of one connection: who has begun which, and for which frames may still come (RFC 9113 §5.1.1, §6.8). */
import { MAX_STREAM_ID } from "./constants.ts";
import type { Http2Role } from "./receiver-host.ts";
import { RecentResets } from "./recent-resets.ts";

export class StreamNumbers {
  readonly #role: Http2Role;
  readonly #resets = new RecentResets();
  /** Of the stream that this side begins next (client). */
  #next = 1;
  /** Highest stream that the peer began (server). */
  lastOfPeer = 0;
  /** The last stream that our GOAWAY named; the peer's newer ones are ignored. */
  lastServed: number = MAX_STREAM_ID;

  constructor(role: Http2Role) {
    this.#role = role;
  }

  /** Of a stream that this side begins now (client). */
  take(): number {
    const id = this.#next;
    this.#next += 2;
    return id;
  }

  get usedUp(): boolean {
    return this.#next > MAX_STREAM_ID;
  }

  /** Streams begun so far by either side, twice counted. */
  get begun(): number {
    return this.#role === "client" ? this.#next : this.lastOfPeer;
  }

  addReset(streamId: number): void {
    this.#resets.add(streamId);
  }

  /** A stream that nobody has begun yet. */
  isIdle(streamId: number): boolean {
    const ours = this.#role === "client" ? streamId % 2 === 1 : streamId % 2 === 0;
    if (ours) return this.#role === "server" || streamId >= this.#next;
    return streamId > this.lastOfPeer && !this.isIgnored(streamId);
  }

  /** Begun by the peer after it could have known our GOAWAY's last stream: whatever comes on it is thrown away (RFC 9113 §6.8). */
  isIgnored(streamId: number): boolean {
    return this.#role === "server" && streamId % 2 === 1 && streamId > this.lastServed;
  }

  /** Frames for it may still be under way, so they are no violation. */
  wasReset(streamId: number): boolean {
    return this.#resets.has(streamId) || this.isIgnored(streamId);
  }
}
