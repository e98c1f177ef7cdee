/** The driver of the delta client: performs what connection.ts and ledger.ts decide. Runs until disposed, whatever the server does. */

import { describeError, MeshError, type Timer, unreachable } from "@meltemi/runtime";
import type { discovery } from "@meltemi/wire";
import {
  ADDRESS_TYPE_URL,
  AUTHORIZATION_TYPE_URL,
  type RejectedResource,
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  type WaypointXdsUpdate,
  WORKLOAD_LABELS_TYPE_URL,
  type XdsTypeUrl,
} from "../types.ts";
import { type ReadResponse, readResponse, readWaypointResponse } from "./apply.ts";
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionState,
  INITIAL_CONNECTION,
  type StreamEnd,
  stepConnection,
} from "./connection.ts";
import { createLedger, type DeltaRequest, type Ledger } from "./ledger.ts";
import type { XdsClient, XdsClientDependencies, XdsClientOptions } from "./options.ts";
import { type DeltaStream, openDeltaStream } from "./stream.ts";
import { createWaiters } from "./waiters.ts";

/** What a kind of client subscribes to, and how it reads the answers. */
interface Subscription<U> {
  readonly types: readonly XdsTypeUrl[];
  readonly read: (response: discovery.DeltaDiscoveryResponse) => ReadResponse<U>;
}

const MESH_TYPES: readonly XdsTypeUrl[] = [ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL];
const WAYPOINT_TYPES: readonly XdsTypeUrl[] = [
  ...MESH_TYPES,
  WORKLOAD_LABELS_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  SERVED_SERVICE_TYPE_URL,
];

/** Makes a client of workloads, services and L4 policies; nothing happens before {@link XdsClient.start}. */
export function createXdsClient(options: XdsClientOptions, deps: XdsClientDependencies): XdsClient {
  return createClient({ types: MESH_TYPES, read: readResponse }, options, deps);
}

/**
 * Makes a client that hears what a waypoint is told as well. Its pod's token must be of a pod with the label
 * `gateway.networking.k8s.io/gateway-name`; the server refuses others.
 */
export function createWaypointXdsClient(
  options: Omit<XdsClientOptions, "onDemand">,
  deps: XdsClientDependencies<WaypointXdsUpdate>,
): XdsClient {
  return createClient({ types: WAYPOINT_TYPES, read: readWaypointResponse }, options, deps);
}

function createClient<U extends WaypointXdsUpdate>(
  subscription: Subscription<U>,
  options: XdsClientOptions,
  deps: XdsClientDependencies<U>,
): XdsClient {
  const ledgers = new Map<string, Ledger>(
    subscription.types.map((typeUrl) => [
      typeUrl,
      createLedger(typeUrl, typeUrl === ADDRESS_TYPE_URL && options.onDemand === true),
    ]),
  );
  const addresses = requireLedger(ledgers, ADDRESS_TYPE_URL);
  const waiters = createWaiters();
  const synced = Promise.withResolvers<void>();
  let connection: ConnectionState = INITIAL_CONNECTION;
  let stream: DeltaStream | undefined;
  let retry: Timer | undefined;
  let openedMs = 0;
  /** The stream that is ending was left by ourselves. */
  let isLeaving = false;

  const dispatch = (event: ConnectionEvent): void => {
    const step = stepConnection(connection, event);
    connection = step.state;
    for (const effect of step.effects) perform(effect);
  };
  const perform = (effect: ConnectionEffect): void => {
    switch (effect.kind) {
      case "openStream":
        connect().catch((error: unknown) =>
          ended({ kind: "connectionFailed", message: describeError(error) }),
        );
        return;
      case "retryAfter":
        retry = deps.clock.after(effect.delayMs, () => dispatch({ kind: "retryDue" }));
        return;
      case "closeStream":
        retry?.cancel();
        stream?.close();
        stream = undefined;
        return;
      case "count":
        deps.metrics?.terminated(effect.reason);
        return;
      default:
        unreachable(effect);
    }
  };
  const ended = (end: StreamEnd): void => {
    stream = undefined;
    if (connection.kind === "stopped") return;
    if (isLeaving) deps.logger.debug("stream left to forget names", { server: options.address });
    else if (end.kind === "completed") deps.logger.info("stream completed", { server: options.address });
    else deps.logger.warn("stream ended", { server: options.address, reason: end.message });
    isLeaving = false;
    const lastedMs = deps.clock.monotonicMs() - openedMs;
    dispatch({ kind: "ended", end, lastedMs, random: deps.random() });
  };
  const connect = async (): Promise<void> => {
    openedMs = deps.clock.monotonicMs();
    const [token, rootCertificates] = await Promise.all([deps.token(), deps.rootCertificates()]);
    if (connection.kind !== "streaming") return;
    const headers = new Map(options.headers);
    headers.set("clusterid", options.clusterId);
    if (token !== undefined) headers.set("authorization", `Bearer ${token.trim()}`);
    const { address, alternateHostname } = options;
    const opened = openDeltaStream(
      { address, headers, rootCertificates, ...(alternateHostname !== undefined && { alternateHostname }) },
      {
        onResponse: (response, bytes) => {
          if (stream === opened) receive(response, bytes);
        },
        onEnd: ended,
      },
      deps.clock,
    );
    stream = opened;
    for (const ledger of ledgers.values()) opened.send({ ...ledger.open(), node: options.node });
  };
  const receive = (response: discovery.DeltaDiscoveryResponse, bytes: number): void => {
    if (connection.kind !== "streaming") return;
    deps.metrics?.message(response.typeUrl, bytes);
    const answer = settle(response);
    if (answer !== undefined) stream?.send(answer);
    if ([...ledgers.values()].every((ledger) => ledger.answered)) synced.resolve();
  };
  const settle = (response: discovery.DeltaDiscoveryResponse): DeltaRequest | undefined => {
    const { update, rejected: unreadable } = subscription.read(response);
    const rejected = [...unreadable, ...(update === undefined ? [] : applyUpdate(update))];
    for (const { name, reason } of rejected.slice(0, MAX_LOGGED_REJECTS))
      deps.logger.warn("resource refused", { type: response.typeUrl, name, reason });
    const refused = new Set(rejected.map(({ name }) => name));
    const accepted = response.resources.filter(({ name }) => !refused.has(name));
    const ledger = update && requireLedger(ledgers, response.typeUrl);
    const answer = ledger?.settle({
      nonce: response.nonce,
      accepted,
      rejected,
      removedNames: response.removedResources,
    });
    if (ledger === addresses) waiters.wake((name) => addresses.knows(name) || refused.has(name));
    return answer;
  };
  const applyUpdate = (update: U): readonly RejectedResource[] => {
    try {
      return deps.onUpdate(update);
    } catch (error) {
      deps.logger.error("update not applied", { type: update.kind, reason: describeError(error) });
      return update.upserts.map(({ name }) => ({ name, reason: "not applied: internal error" }));
    }
  };
  const fetchName = async (name: string, signal?: AbortSignal): Promise<void> => {
    if (options.onDemand !== true)
      throw new MeshError(
        "UNSUPPORTED",
        `fetch ${name}: the client is not on demand, it holds all addresses`,
      );
    signal?.throwIfAborted();
    if (addresses.knows(name)) return;
    const request = addresses.subscribe(name);
    if (request !== undefined) stream?.send(request);
    await waiters.wait(name, signal);
  };

  return {
    start: () => dispatch({ kind: "start" }),
    synced: synced.promise,
    get connected() {
      return stream !== undefined && connection.kind === "streaming";
    },
    fetch: fetchName,
    renew(name) {
      for (const request of addresses.renew(name)) stream?.send(request);
    },
    forget(names, resourceNames) {
      addresses.forget(names, resourceNames);
      const left = stream;
      stream = undefined;
      isLeaving = left !== undefined;
      left?.close();
    },
    heldCount: (typeUrl) => requireLedger(ledgers, typeUrl).heldCount,
    async [Symbol.asyncDispose]() {
      dispatch({ kind: "stop" });
      waiters.abandon(new MeshError("ABORTED", "fetch from control plane: the client was stopped"));
    },
  };
}

/** Refused resources logged per response; the rest is in the NACK's count. */
const MAX_LOGGED_REJECTS = 10;

function requireLedger(ledgers: ReadonlyMap<string, Ledger>, typeUrl: string): Ledger {
  const ledger = ledgers.get(typeUrl);
  if (ledger === undefined)
    throw new MeshError("NOT_FOUND", `ledger of ${typeUrl}: not a type of this client`);
  return ledger;
}
