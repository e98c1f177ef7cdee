/** Streams that we reset of late, for which frames may still be under way. */
const REMEMBERED_RESETS = 1024;

export class RecentResets {
  readonly #ids = new Set<number>();

  add(streamId: number): void {
    this.#ids.add(streamId);
    if (this.#ids.size <= REMEMBERED_RESETS) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  has(streamId: number): boolean {
    return this.#ids.has(streamId);
  }
}
