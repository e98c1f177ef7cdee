/**
 * The packets of ZDS by hand, from the field numbers of zds.proto (reference: protocol §3.5) and without any library of protobuf:
 * what a peer of ours must send and must read, byte by byte.
 */

/** ZdsHello { version 1: V1 } */
export const HELLO: Buffer = Buffer.from([0x08, 0x01]);
/** WorkloadResponse { ack 1: Ack {} } */
export const ACK: Buffer = Buffer.from([0x0a, 0x00]);

/** A field that is a text or a message. */
function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as string);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length]), bytes]);
}

/** WorkloadResponse { ack 1: Ack { error 1 } } */
export function nack(why: string): Buffer {
  return field(1, field(1, why));
}

export interface ForeignPod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** WorkloadRequest { add 1: AddWorkload { uid 1, workload_info 2: WorkloadInfo { name 1, namespace 2, service_account 3 } } } */
export function add({ uid, name, namespace, serviceAccount }: ForeignPod): Buffer {
  const info = Buffer.concat([field(1, name), field(2, namespace), field(3, serviceAccount)]);
  return field(1, Buffer.concat([field(1, uid), field(2, info)]));
}

/** An `add` that lacks its workload_info. */
export function addWithoutInfo(uid: string): Buffer {
  return field(1, field(1, uid));
}

/** WorkloadRequest { del 2: DelWorkload { uid 2 } } */
export function del(uid: string): Buffer {
  return field(2, field(2, uid));
}

/** WorkloadRequest { snapshot_sent 3: SnapshotSent {} } */
export const SNAPSHOT_SENT: Buffer = field(3, "");

/** WorkloadRequest { keep 5: KeepWorkload { uid 1 } } */
export function keep(uid: string): Buffer {
  return field(5, field(1, uid));
}
