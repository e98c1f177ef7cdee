import assert from "node:assert/strict";
import { test } from "node:test";
import type { HbonePeer } from "@meltemi/hbone";
import { type PeerChain, readRevocationFile, type WorkloadCertificate } from "@meltemi/identity";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTestAuthority } from "@meltemi/testkit";
import { createPeerRevocation } from "./peer-revocation.ts";

const authority = createTestAuthority({ intermediates: 1 });
const chainOf = ({ leaf, intermediates, roots }: WorkloadCertificate): PeerChain => ({
  der: [leaf, ...intermediates].map(({ der }) => der),
  roots,
});
const [bad, good] = [authority.issue("default/bad"), authority.issue("default/good")];
authority.revoke(bad.leaf);

function scene() {
  const registry = createRegistry();
  const write = (): void => undefined;
  const logger = createLogger(
    { filter: new LogFilter("error"), format: "plain", nowMs: () => 0, write },
    "crl",
  );
  const revocation = createPeerRevocation({ registry, logger });
  const lists = readRevocationFile(Buffer.from(authority.crlPem()));
  assert.ok(lists.kind === "ok");
  return { revocation, lists: lists.value, metrics: () => registry.exposition(undefined).body };
}

test("peer revocation: handshakes are judged by the lists in force, and counted where they are judged", () => {
  const { revocation, lists, metrics } = scene();
  assert.equal(revocation.isRevoked(chainOf(bad), "client"), false);
  revocation.replace(lists);
  assert.equal(revocation.isRevoked(chainOf(good), "client"), false);
  assert.equal(revocation.isRevoked(chainOf(bad), "client"), true);
  assert.equal(revocation.isRevoked(chainOf(bad), "server"), true);
  assert.equal(revocation.isRevoked(chainOf(bad), "server"), true);
  assert.match(metrics(), /istio_crl_policy_rejections_total\{reporter="destination"\} 1\n/);
  assert.match(metrics(), /istio_crl_policy_rejections_total\{reporter="source"\} 2\n/);
  revocation.replace([]);
  assert.equal(revocation.isRevoked(chainOf(bad), "server"), false);
});

test("peer revocation: a chain that cannot be read is accepted, and counted", () => {
  const { revocation, lists, metrics } = scene();
  revocation.replace(lists);
  const chain = chainOf(good);
  const unreadable = { ...chain, der: [...chain.der, Uint8Array.of(0x30, 0)] };
  assert.equal(revocation.isRevoked(unreadable, "server"), false);
  assert.match(metrics(), /istio_crl_untracked_connections_total\{reporter="source"\} 1\n/);
});

test("peer revocation: new lists cut the tunnels of those they name, while they are followed", () => {
  const { revocation, lists, metrics } = scene();
  const cut: string[] = [];
  const tunnels = (name: string) => ({
    abortPeers(matches: (peer: HbonePeer) => boolean): number {
      const peers = [bad, good].map((one) => ({ chain: chainOf(one), identity: one.identity }) as HbonePeer);
      const chosen = peers.filter(matches);
      cut.push(...chosen.map(({ identity }) => `${name} ${identity.serviceAccount}`));
      return chosen.length;
    },
  });
  revocation.follow("client", tunnels("server"));
  const stop = revocation.follow("server", tunnels("pool"));
  revocation.replace(lists);
  assert.deepEqual(cut, ["server bad", "pool bad"]);
  assert.match(metrics(), /istio_crl_policy_rejections_total\{reporter="destination"\} 1\n/);
  assert.match(metrics(), /istio_crl_policy_rejections_total\{reporter="source"\} 1\n/);
  stop();
  revocation.replace(lists);
  assert.deepEqual(cut.slice(2), ["server bad"]);
});
