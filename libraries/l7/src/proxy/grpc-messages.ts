/** Counts gRPC messages in a body by their five-byte prefixes; keeps no bytes. */
export class GrpcMessageCounter {
  messages = 0;
  /** Bytes of the current message that are still to come. */
  #rest = 0;
  #prefixBytes = 0;
  #length = 0;

  count(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#rest > 0) {
        const taken = Math.min(this.#rest, chunk.length - at);
        this.#rest -= taken;
        at += taken;
        continue;
      }
      const byte = chunk[at++] ?? 0;
      // The first byte is the compression flag, then a length of four bytes (gRPC over HTTP/2).
      if (this.#prefixBytes > 0) this.#length = this.#length * 256 + byte;
      if (++this.#prefixBytes < 5) continue;
      this.messages++;
      this.#rest = this.#length;
      this.#prefixBytes = 0;
      this.#length = 0;
    }
  }
}
