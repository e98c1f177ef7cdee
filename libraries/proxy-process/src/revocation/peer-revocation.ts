/** Revocation of peers (reference: protocol §1.2): handshakes are judged by the lists in force, open tunnels again when they change. */

import type { HbonePeer } from "@meltemi/hbone";
import {
  createRevocationIndex,
  type PeerChain,
  type RevocationCheck,
  type RevocationList,
} from "@meltemi/identity";
import type { Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";

/** An HBONE server or pool. */
export interface Tunnels {
  /** Cuts the connections whose peer matches; returns how many. */
  abortPeers(matches: (peer: HbonePeer) => boolean): number;
}

export interface PeerRevocation {
  /** For handshakes. */
  readonly isRevoked: RevocationCheck;
  /** The tunnels to these peers are judged whenever the lists change. Returns how to stop. */
  follow(peers: "client" | "server", tunnels: Tunnels): () => void;
  /** Puts these lists in force in place of all earlier ones, and cuts the tunnels of peers that they name. */
  replace(lists: readonly RevocationList[]): void;
}

export interface PeerRevocationDeps {
  readonly registry: Registry;
  readonly logger: Logger;
}

/** Without a list nobody is revoked. */
export function createPeerRevocation(deps: PeerRevocationDeps): PeerRevocation {
  const rejections = deps.registry.counter({
    name: "istio_crl_policy_rejections",
    help: "Total number of connections rejected because of a revoked certificate",
    labels: ["reporter"],
  });
  const untracked = deps.registry.counter({
    name: "istio_crl_untracked_connections",
    help: "Total number of connections whose certificates could not be followed for revocation",
    labels: ["reporter"],
  });
  let index = createRevocationIndex([]);
  const followed = new Map<Tunnels, "client" | "server">();
  const names = (chain: PeerChain): boolean => index.judge(chain).kind === "revoked";
  return {
    isRevoked(chain, role) {
      const verdict = index.judge(chain);
      const labels = { reporter: reporterOf(role) };
      // Its status is unknown, and unknown is accepted: revocation lists name the bad ones only.
      if (verdict.kind === "untracked") untracked.labels(labels).inc();
      if (verdict.kind !== "revoked") return false;
      rejections.labels(labels).inc();
      return true;
    },
    follow(peers, tunnels) {
      followed.set(tunnels, peers);
      return () => followed.delete(tunnels);
    },
    replace(lists) {
      index = createRevocationIndex(lists);
      for (const [tunnels, peers] of [...followed]) {
        const cut = tunnels.abortPeers(({ chain }) => names(chain));
        if (cut === 0) continue;
        rejections.labels({ reporter: reporterOf(peers) }).inc(cut);
        deps.logger.warn("tunnels of revoked peers cut", { peers, cut });
      }
    },
  };
}

/** Who judges a client is the destination of its connections. */
function reporterOf(peers: "client" | "server"): "source" | "destination" {
  return peers === "client" ? "destination" : "source";
}
