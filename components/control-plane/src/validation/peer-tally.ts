/** How much of something each peer has at the moment, up to a bound: one of them must not have all there is. */

export interface PeerTally {
  /** False, and nothing taken, when the peer would have more than it may. */
  take(peer: string, amount?: number): boolean;
  giveBack(peer: string, amount?: number): void;
}

export function createPeerTally(max: number): PeerTally {
  const taken = new Map<string, number>();
  return {
    take(peer, amount = 1) {
      const all = (taken.get(peer) ?? 0) + amount;
      if (all > max) return false;
      taken.set(peer, all);
      return true;
    },
    giveBack(peer, amount = 1) {
      const left = (taken.get(peer) ?? 0) - amount;
      if (left > 0) taken.set(peer, left);
      else taken.delete(peer);
    },
  };
}
