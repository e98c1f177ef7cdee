/** One DNS message in, at most one out: from the mesh, or forwarded (reference: protocol §9). */

import {
  findLocalWorkload,
  type Ip,
  type LocalPlace,
  type MeshSnapshot,
  type Workload,
  type WorkloadName,
} from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import { describeError, type Logger } from "@meltemi/runtime";
import type { DnsMetrics } from "../telemetry/dns-metrics.ts";
import { type DnsContext, decideAnswer } from "./decide-answer.ts";
import type { Forwarder } from "./forwarder.ts";
import { answerLimit, type DnsQuery, encodeAnswer, encodeError, readQuery } from "./message.ts";

export interface DnsHandlerOptions {
  readonly pod: WorkloadName;
  readonly place: LocalPlace;
  readonly clusterDomain: string;
  readonly preferredNamespace: string | undefined;
  readonly ipv6Enabled: boolean;
  /** How long a question waits for the pod to be known. */
  readonly workloadWaitMs: number;
  /** For the log: who would tell of the pod. Undefined: a static configuration does. */
  readonly controlPlaneAddress?: string | undefined;
  /** Questions of one pod worked on at once; beyond it they are refused. */
  readonly maxConcurrent: number;
}

export interface DnsHandlerDeps {
  readonly mesh: MeshStore;
  readonly forwarder: Forwarder;
  readonly metrics: DnsMetrics;
  readonly random: () => number;
  readonly monotonicMs: () => number;
  readonly logger: Logger;
}

export interface DnsHandler {
  /** Undefined: send nothing. Never rejects. */
  handle(message: Uint8Array, transport: "udp" | "tcp"): Promise<Uint8Array | undefined>;
}

export function createDnsHandler(options: DnsHandlerOptions, deps: DnsHandlerDeps): DnsHandler {
  const log = deps.logger.scope("dns");
  let working = 0;
  let wasTold = false;
  const findClient = (snapshot: MeshSnapshot): Workload | undefined =>
    findLocalWorkload(snapshot, options.pod, options.place);

  /** Once for each pod: it may ask for as long as the control plane is away. */
  const tellUnknown = (): void => {
    if (wasTold) return;
    wasTold = true;
    const { pod, controlPlaneAddress, workloadWaitMs } = options;
    const why =
      controlPlaneAddress === undefined
        ? "there is no control plane, and the static configuration has not told of it"
        : `no answer of the control plane at ${controlPlaneAddress}`;
    const facts = { pod: pod.name, namespace: pod.namespace, waited_ms: workloadWaitMs };
    log.warn(`workload not known yet: ${why}; until it is, its names are not answered`, facts);
  };

  const answer = async (
    message: Uint8Array,
    query: DnsQuery,
    transport: "udp" | "tcp",
  ): Promise<Uint8Array> => {
    const client = await deps.mesh.waitFor(findClient, options.workloadWaitMs);
    if (client === undefined) {
      tellUnknown();
      return encodeError(query.id, "SERVFAIL", query);
    }
    deps.metrics.request(query.type, transport, client);
    const context: DnsContext = { ...options, client };
    const decision = decideAnswer(deps.mesh.current, { name: query.name, type: query.type }, context);
    if (decision.kind === "forward") return forward(message, query, transport, client);
    log.debug("dns request answered", {
      name: query.name,
      type: query.type,
      answers: decision.addresses.length,
    });
    const addresses = shuffled(decision.addresses, deps.random);
    return encodeAnswer(query, decision.name, addresses, answerLimit(query, transport));
  };

  const forward = async (
    message: Uint8Array,
    query: DnsQuery,
    transport: "udp" | "tcp",
    client: Workload,
  ): Promise<Uint8Array> => {
    const startMs = deps.monotonicMs();
    try {
      return await deps.forwarder.forward(message, query, transport);
    } catch (error) {
      deps.metrics.forwardFailed(query.type, transport, client);
      log.debug("dns request not forwarded", { name: query.name, error: describeError(error) });
      return encodeError(query.id, "SERVFAIL", query);
    } finally {
      deps.metrics.forwarded(query.type, transport, client, (deps.monotonicMs() - startMs) / 1000);
    }
  };

  return {
    async handle(message, transport) {
      const read = readQuery(message);
      if (read.kind === "ignore") return undefined;
      if (read.kind === "bad") return encodeError(read.id, read.code);
      if (working >= options.maxConcurrent) return encodeError(read.query.id, "REFUSED", read.query);
      working++;
      try {
        return await answer(message, read.query, transport);
      } catch (error) {
        log.warn("dns request failed", { name: read.query.name, error: describeError(error) });
        return encodeError(read.query.id, "SERVFAIL", read.query);
      } finally {
        working--;
      }
    },
  };
}

/** Fisher and Yates: every order equally likely, so that clients which take the first spread themselves. */
function shuffled(addresses: readonly Ip[], random: () => number): readonly Ip[] {
  const mixed = [...addresses];
  for (let last = mixed.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [mixed[last], mixed[other]];
    if (a !== undefined && b !== undefined) [mixed[last], mixed[other]] = [b, a];
  }
  return mixed;
}
