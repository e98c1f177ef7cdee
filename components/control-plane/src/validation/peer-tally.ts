/** How many of something each peer has at the moment, up to a bound: one of them must not have all there is. */

export interface PeerTally {
  /** False when the peer has as many as it may. */
  take(peer: string): boolean;
  giveBack(peer: string): void;
}

export function createPeerTally(max: number): PeerTally {
  const taken = new Map<string, number>();
  return {
    take(peer) {
      const others = taken.get(peer) ?? 0;
      if (others >= max) return false;
      taken.set(peer, others + 1);
      return true;
    },
    giveBack(peer) {
      const left = (taken.get(peer) ?? 0) - 1;
      if (left > 0) taken.set(peer, left);
      else taken.delete(peer);
    },
  };
}
