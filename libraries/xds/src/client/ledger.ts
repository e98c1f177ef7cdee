/**
 * What the client holds of one type, and what it says on a stream: the delta protocol without IO (reference: protocol §3.1).
 * The ledger outlives streams; that is what makes a reconnect cheap: only differences are sent.
 */

import type { JsonObject } from "@bufbuild/protobuf";
import { MeshError } from "@meltemi/runtime";
import type { RejectedResource, XdsTypeUrl } from "../types.ts";

/** The fields of a DeltaDiscoveryRequest; what is absent is empty on the wire. */
export interface DeltaRequest {
  readonly typeUrl: string;
  readonly node?: { readonly id: string; readonly metadata: JsonObject };
  readonly resourceNamesSubscribe?: string[];
  readonly resourceNamesUnsubscribe?: string[];
  readonly initialResourceVersions?: Record<string, string>;
  readonly responseNonce?: string;
  readonly errorDetail?: { readonly code: number; readonly message: string };
}

/** Names that one node asks for: every pod and service it ever talked to, with room; each costs a few hundred bytes. */
export const MAX_ON_DEMAND_NAMES = 100_000;
/** Reasons listed in one NACK; the server logs them, nobody reads thousands. */
const MAX_NACK_REASONS = 20;
const MAX_NACK_REASON_LENGTH = 256;

/** What a response said, as far as the ledger cares. */
interface Receipt {
  readonly nonce: string;
  readonly accepted: readonly {
    readonly name: string;
    readonly version: string;
    readonly aliases: readonly string[];
  }[];
  readonly rejected: readonly RejectedResource[];
  readonly removedNames: readonly string[];
}

export interface Ledger {
  /** The first request of a stream. */
  open(): DeltaRequest;
  /** Books a response that was applied; the answer is its ACK or NACK. */
  settle(receipt: Receipt): DeltaRequest;
  /** True once the type has been answered, on any stream. */
  readonly answered: boolean;
  readonly heldCount: number;
  /** On-demand: whether the server has said what `name` is (or that it is nothing) since it was asked, on any stream. */
  knows(name: string): boolean;
  /** On-demand: the request to send now, or undefined when `name` was asked for before. Throws LIMIT_EXCEEDED. */
  subscribe(name: string): DeltaRequest | undefined;
  /**
   * On-demand: leaves `name` and asks anew, in two requests: istiod answers no name that it counts as subscribed. Nothing when
   * it is not asked for, or not answered yet.
   */
  renew(name: string): readonly DeltaRequest[];
  /** On-demand: as if the names had never been asked for, and the resources never held. The next stream tells the server. */
  forget(names: Iterable<string>, resourceNames: Iterable<string>): void;
}

export function createLedger(typeUrl: XdsTypeUrl, onDemand: boolean): Ledger {
  /** Name → last accepted version. */
  const held = new Map<string, string>();
  /** On-demand: names asked for → whether they were answered. */
  const asked = new Map<string, boolean>();
  let answered = false;

  const book = ({ accepted, rejected, removedNames }: Receipt): void => {
    for (const { name, version, aliases } of accepted) {
      held.set(name, version);
      for (const key of [name, ...aliases]) if (asked.has(key)) asked.set(key, true);
    }
    // Of what was refused an older form may be in use: a later stream must bring it again, or say that it is gone.
    for (const { name } of rejected) if (held.has(name)) held.set(name, NO_VERSION);
    for (const name of removedNames) {
      held.delete(name);
      if (asked.has(name)) asked.set(name, true);
    }
  };
  const settle = (receipt: Receipt): DeltaRequest => {
    answered = true;
    book(receipt);
    const answer = { typeUrl, responseNonce: receipt.nonce };
    if (receipt.rejected.length === 0) return answer;
    return { ...answer, errorDetail: { code: INVALID_ARGUMENT, message: nackMessage(receipt.rejected) } };
  };

  return {
    open: () => (onDemand ? openOnDemand(typeUrl, held, asked) : openWildcard(typeUrl, held)),
    settle,
    get answered() {
      return answered;
    },
    get heldCount() {
      return held.size;
    },
    // What is held for another name is not enough: a service that came by its address came without its endpoints.
    knows: (name) => asked.get(name) === true,
    subscribe(name) {
      if (asked.has(name)) return undefined;
      if (asked.size >= MAX_ON_DEMAND_NAMES)
        throw new MeshError(
          "LIMIT_EXCEEDED",
          `subscribe to ${name}: at most ${MAX_ON_DEMAND_NAMES} names are watched`,
        );
      asked.set(name, false);
      return { typeUrl, resourceNamesSubscribe: [name] };
    },
    renew(name) {
      if (asked.get(name) !== true) return [];
      asked.set(name, false);
      return [
        { typeUrl, resourceNamesUnsubscribe: [name] },
        { typeUrl, resourceNamesSubscribe: [name] },
      ];
    },
    forget(names, resourceNames) {
      for (const name of names) asked.delete(name);
      for (const name of resourceNames) held.delete(name);
    },
  };
}

const INVALID_ARGUMENT = 3;
/** A version that no server gives. */
const NO_VERSION = "";

function openWildcard(typeUrl: string, held: ReadonlyMap<string, string>): DeltaRequest {
  return { typeUrl, initialResourceVersions: Object.fromEntries(held) };
}

/** Subscribing to and leaving `*` in one request says: nothing but what I name (reference: protocol §3.1). */
function openOnDemand(
  typeUrl: string,
  held: ReadonlyMap<string, string>,
  asked: ReadonlyMap<string, boolean>,
): DeltaRequest {
  const versions = new Map(held);
  for (const [name, isAnswered] of asked) if (!isAnswered) versions.set(name, NO_VERSION);
  return {
    typeUrl,
    resourceNamesSubscribe: ["*", ...asked.keys()],
    resourceNamesUnsubscribe: ["*"],
    initialResourceVersions: Object.fromEntries(versions),
  };
}

/** `name: reason` joined by `; `. */
function nackMessage(rejected: readonly RejectedResource[]): string {
  const shown = rejected
    .slice(0, MAX_NACK_REASONS)
    .map(({ name, reason }) => `${name}: ${reason}`.slice(0, MAX_NACK_REASON_LENGTH));
  const rest = rejected.length - shown.length;
  return rest > 0 ? `${shown.join("; ")}; and ${rest} more` : shown.join("; ");
}
