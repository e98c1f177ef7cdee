/** What content-length says against what comes (RFC 9113 §8.1.1): a difference is how requests are smuggled. */
export class BodyLength {
  #leftBytes = Number.POSITIVE_INFINITY;
  /** Nothing may come, whatever was announced (HEAD, 204, 304). */
  #absent = false;

  expect(contentLength: number | undefined): void {
    if (contentLength !== undefined) this.#leftBytes = contentLength;
  }

  expectNone(): void {
    this.#absent = true;
  }

  /** The body goes on by `bytes`, or ends (undefined); otherwise why not. */
  fault(bytes: number | undefined): string | undefined {
    if (bytes === undefined) {
      const short = this.#leftBytes > 0 && this.#leftBytes !== Number.POSITIVE_INFINITY && !this.#absent;
      return short ? `body ends ${this.#leftBytes} bytes short of content-length` : undefined;
    }
    if (this.#absent && bytes > 0) return "body where none may be";
    this.#leftBytes -= bytes;
    return this.#leftBytes < 0 ? "body longer than content-length" : undefined;
  }
}
