/**
 * The messages of ZDS (`istio.workload.zds`, reference: protocol §3.5): one protobuf message is one packet, no length prefix.
 * Decoders judge bytes from outside: they return what is wrong and never throw.
 */

import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { MAX_PACKET_BYTES } from "@meltemi/linux";
import { zds } from "@meltemi/wire";

export interface ZdsWorkload {
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** What the CNI agent asks of a ztunnel. `add` travels with exactly one descriptor, the others with none. */
export type ZdsRequest =
  | { readonly kind: "add"; readonly uid: string; readonly workload: ZdsWorkload }
  | { readonly kind: "keep"; readonly uid: string }
  | { readonly kind: "del"; readonly uid: string }
  | { readonly kind: "snapshotSent" };

export type ZdsAnswer = { readonly kind: "ack" } | { readonly kind: "nack"; readonly why: string };

export type Decoded<T> =
  | { readonly kind: "ok"; readonly value: T }
  | { readonly kind: "bad"; readonly why: string };

/** A received packet, as the decoders need it. */
export interface ReceivedPacket {
  readonly bytes: Uint8Array;
  readonly fds: readonly number[];
  readonly truncated: boolean;
}

/** Leaves room in a packet for the ack's own framing. */
const MAX_WHY_BYTES = 900;

export function encodeHello(): Uint8Array {
  return toBinary(zds.ZdsHelloSchema, create(zds.ZdsHelloSchema, { version: zds.Version.V1 }));
}

export function decodeHello(packet: ReceivedPacket): Decoded<{ readonly version: 1 }> {
  const hello = decode(zds.ZdsHelloSchema, packet, 0);
  if (hello.kind === "bad") return hello;
  const { version } = hello.value;
  if (version !== zds.Version.V1) return bad(`hello: expected version 1, got ${version}`);
  return { kind: "ok", value: { version: 1 } };
}

export function encodeRequest(request: ZdsRequest): Uint8Array {
  return toBinary(
    zds.WorkloadRequestSchema,
    create(zds.WorkloadRequestSchema, { payload: payloadOf(request) }),
  );
}

type Payload = NonNullable<Parameters<typeof create<typeof zds.WorkloadRequestSchema>>[1]>["payload"];

function payloadOf(request: ZdsRequest): NonNullable<Payload> {
  switch (request.kind) {
    case "add":
      return { case: "add", value: { uid: request.uid, workloadInfo: { ...request.workload } } };
    case "keep":
      return { case: "keep", value: { uid: request.uid } };
    case "del":
      return { case: "del", value: { uid: request.uid } };
    case "snapshotSent":
      return { case: "snapshotSent", value: {} };
  }
}

export function decodeRequest(packet: ReceivedPacket): Decoded<ZdsRequest> {
  const message = decode(zds.WorkloadRequestSchema, packet, undefined);
  if (message.kind === "bad") return message;
  const { payload } = message.value;
  const wantedFds = payload.case === "add" ? 1 : 0;
  if (packet.fds.length !== wantedFds)
    return bad(
      `${payload.case ?? "empty request"}: expected ${wantedFds} descriptors, got ${packet.fds.length}`,
    );
  switch (payload.case) {
    case "add": {
      const { uid, workloadInfo } = payload.value;
      if (uid === "") return bad("add: expected a uid");
      if (workloadInfo === undefined) return bad(`add ${uid}: expected workload_info`);
      const { name, namespace, serviceAccount } = workloadInfo;
      return ok({ kind: "add", uid, workload: { name, namespace, serviceAccount } });
    }
    case "keep":
    case "del":
      return payload.value.uid === ""
        ? bad(`${payload.case}: expected a uid`)
        : ok({ kind: payload.case, uid: payload.value.uid });
    case "snapshotSent":
      return ok({ kind: "snapshotSent" });
    default:
      return bad("request: expected add, keep, del or snapshot_sent");
  }
}

export function encodeAnswer(answer: ZdsAnswer): Uint8Array {
  const error = answer.kind === "ack" ? "" : boundedText(answer.why === "" ? "refused" : answer.why);
  const payload = { case: "ack", value: { error } } as const;
  return toBinary(zds.WorkloadResponseSchema, create(zds.WorkloadResponseSchema, { payload }));
}

export function decodeAnswer(packet: ReceivedPacket): Decoded<ZdsAnswer> {
  const message = decode(zds.WorkloadResponseSchema, packet, 0);
  if (message.kind === "bad") return message;
  const { payload } = message.value;
  if (payload.case !== "ack") return bad("response: expected ack");
  const { error } = payload.value;
  return ok(error === "" ? { kind: "ack" } : { kind: "nack", why: error });
}

function boundedText(text: string): string {
  const bytes = Buffer.from(text, "utf8");
  // A cut inside a character would not be valid UTF-8 and the peer would refuse the packet.
  return bytes.length <= MAX_WHY_BYTES
    ? text
    : bytes.toString("utf8", 0, MAX_WHY_BYTES).replace(/\uFFFD+$/, "");
}

function decode<Schema extends DescMessage>(
  schema: Schema,
  packet: ReceivedPacket,
  fds: number | undefined,
): Decoded<MessageShape<Schema>> {
  if (packet.truncated)
    return bad(`packet: expected at most ${MAX_PACKET_BYTES} bytes and one descriptor, got more`);
  if (fds !== undefined && packet.fds.length !== fds)
    return bad(`packet: expected ${fds} descriptors, got ${packet.fds.length}`);
  try {
    return { kind: "ok", value: fromBinary(schema, packet.bytes) };
  } catch {
    return bad(`packet of ${packet.bytes.length} bytes: expected ${schema.typeName}`);
  }
}

function ok<T>(value: T): Decoded<T> {
  return { kind: "ok", value };
}

function bad(why: string): { readonly kind: "bad"; readonly why: string } {
  return { kind: "bad", why };
}
