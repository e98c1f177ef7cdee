/** What a ztunnel does with each packet of a ZDS connection, decided without doing it. */

import { type Decoded, decodeRequest, type ReceivedPacket, type ZdsRequest } from "./codec.ts";

/** A connection begins with the snapshot; `keep` belongs to it alone. */
export interface ZdsClientState {
  readonly snapshotReceived: boolean;
}

export const INITIAL_CLIENT_STATE: ZdsClientState = { snapshotReceived: false };

export type ZdsClientStep =
  | { readonly kind: "perform"; readonly state: ZdsClientState; readonly request: ZdsRequest }
  /** The peer is not speaking ZDS: answer with a nack and give up for good (ztunnel exits with code 1). */
  | { readonly kind: "violation"; readonly why: string };

export function stepClient(state: ZdsClientState, packet: ReceivedPacket): ZdsClientStep {
  const decoded: Decoded<ZdsRequest> = decodeRequest(packet);
  if (decoded.kind === "bad") return { kind: "violation", why: decoded.why };
  const request = decoded.value;
  if (state.snapshotReceived && request.kind === "keep")
    return { kind: "violation", why: `keep ${request.uid}: expected none after the snapshot` };
  if (state.snapshotReceived && request.kind === "snapshotSent")
    return { kind: "violation", why: "snapshot_sent: expected it once per connection" };
  const snapshotReceived = state.snapshotReceived || request.kind === "snapshotSent";
  return { kind: "perform", state: { snapshotReceived }, request };
}
