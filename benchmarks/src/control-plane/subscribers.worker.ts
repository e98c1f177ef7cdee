/** Many wildcard subscribers in one process; they answer at once and check what they get. Arguments: port, subscribers. */

import { hash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { Client, credentials } from "@grpc/grpc-js";
import { discovery } from "@meltemi/wire";
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, DELTA_METHOD } from "@meltemi/xds";
import type { FromSubscribers, ToSubscribers } from "./messages.ts";

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const TYPES = [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
const startedMs = performance.now();
const held = new Map<string, string>();
/** Per subscriber: hashes of its responses, chained. */
const chains = new Array<string>(count).fill("");
let firstResponses = 0;

const say = (message: FromSubscribers): void => {
  process.send?.(message);
};

for (let at = 0; at < count; at++) {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
  const call = client.makeBidiStreamRequest(
    DELTA_METHOD,
    (request: discovery.DeltaDiscoveryRequest) =>
      Buffer.from(toBinary(discovery.DeltaDiscoveryRequestSchema, request)),
    (bytes: Buffer) => bytes,
  );
  call.on("error", (error) => {
    process.stderr.write(`subscriber ${at}: ${error.message}\n`);
    process.exit(1);
  });
  const answered = new Set<string>();
  call.on("data", (bytes: Buffer) => {
    const { typeUrl, nonce } = readHead(bytes);
    call.write(create(discovery.DeltaDiscoveryRequestSchema, { typeUrl, responseNonce: nonce }));
    chains[at] = hash("sha256", (chains[at] ?? "") + hash("sha256", bytes, "hex"), "hex");
    if (at === 0) apply(bytes);
    if (answered.has(typeUrl)) return;
    answered.add(typeUrl);
    if (++firstResponses === count * TYPES.length)
      say({ kind: "synced", elapsedMs: performance.now() - startedMs });
  });
  const id = `ztunnel~10.0.0.1~ztunnel-${at}.istio-system~istio-system.svc.cluster.local`;
  for (const typeUrl of TYPES)
    call.write(create(discovery.DeltaDiscoveryRequestSchema, { node: { id }, typeUrl }));
}

/** Type and nonce stand first in what our server writes; the rest is left alone. */
function readHead(bytes: Buffer): { readonly typeUrl: string; readonly nonce: string } {
  const reader = new BinaryReader(bytes);
  let typeUrl = "";
  for (;;) {
    const [field, wireType] = reader.tag();
    if (field === 4) typeUrl = reader.string();
    else if (field === 5) return { typeUrl, nonce: reader.string() };
    else reader.skip(wireType, field);
  }
}

function apply(bytes: Buffer): void {
  const response = fromBinary(discovery.DeltaDiscoveryResponseSchema, bytes);
  if (response.typeUrl !== ADDRESS_TYPE_URL) return;
  for (const { name, version } of response.resources) held.set(name, version);
  for (const name of response.removedResources) held.delete(name);
}

process.on("message", (_message: ToSubscribers) => {
  const lines = [...held].map(([name, version]) => `${name}=${version}`);
  const digest = hash("sha256", lines.sort().join("\n"), "hex");
  say({ kind: "report", identical: new Set(chains).size === 1, digest });
});
