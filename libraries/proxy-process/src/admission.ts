/** How many connections this process and each pod may hold: one pod's flood must not take the others' share. */

export interface AdmissionLimits {
  /** Of the whole process; each connection holds two descriptors and its buffers. */
  readonly process: number;
  /** Of one pod, however idle the others are. */
  readonly pod: number;
}

/**
 * 100 000 connections at 12 KB are 1.2 GB, the most that a node should give its proxy; a quarter of it for one pod is
 * more than any single server holds.
 */
const DEFAULT_ADMISSION: AdmissionLimits = { process: 100_000, pod: 25_000 };

/** Beyond this part of the process's bound every pod is held to its equal share. */
export const CROWDED = 0.8;

/** Whether a pod that has `podCount` of the process's `total` connections, one of `pods`, may have one more. */
export function decideAdmission(
  limits: AdmissionLimits,
  total: number,
  podCount: number,
  pods: number,
): "admit" | "processFull" | "podFull" {
  if (total >= limits.process) return "processFull";
  if (podCount >= limits.pod) return "podFull";
  const crowded = total >= limits.process * CROWDED;
  return crowded && podCount >= limits.process / Math.max(1, pods) ? "podFull" : "admit";
}

/**
 * Descriptors of a connection: two when both ends are TCP, one when the other end is a tunnel, which many share. A node
 * whose connections are all plaintext may run out of them before the bound; connecting then fails, and is told.
 */
const DESCRIPTORS_PER_CONNECTION = 1.5;

/** Fits the bound to the descriptors that the process may open; a tenth is kept for everything else. */
export function limitsFor(maxOpenFiles: number): AdmissionLimits {
  const process = Math.max(
    1,
    Math.min(DEFAULT_ADMISSION.process, Math.floor((maxOpenFiles * 0.9) / DESCRIPTORS_PER_CONNECTION)),
  );
  return { process, pod: Math.min(DEFAULT_ADMISSION.pod, process) };
}

/**
 * TLS handshakes under way, of callers that have proved nothing yet: 25 KB and a descriptor each for up to 10 s. The most
 * of the process is 100 MB; a pod's share lets 25 new peers a second in, were each as slow as that, and thousands at the usual few ms.
 */
const MAX_HANDSHAKES: AdmissionLimits = { process: 4096, pod: 256 };

/** Where descriptors are few, strangers may have a quarter of the places. */
function handshakeLimits(connections: AdmissionLimits): AdmissionLimits {
  const share = Math.max(1, Math.floor(connections.process / 4));
  return { process: Math.min(MAX_HANDSHAKES.process, share), pod: Math.min(MAX_HANDSHAKES.pod, share) };
}

/** Counts of the whole process. */
export interface Admission {
  /** The share of a new pod. */
  forPod(): PodAdmission;
  readonly connections: number;
}

type Place =
  | { readonly kind: "admitted"; readonly release: () => void }
  | { readonly kind: "refused"; readonly message: string };

export interface PodAdmission extends Disposable {
  /** Takes a connection's place, or says why there is none. Each tunnel, accepted or dialled, and each stream in it have one of their own. */
  take(): Place;
  /** As above, for a TLS handshake that somebody began with us. */
  takeHandshake(): Place;
}

export function createAdmission(limits: AdmissionLimits): Admission {
  const connections = createPlaces(limits, "connections");
  const handshakes = createPlaces(handshakeLimits(limits), "handshakes");
  return {
    get connections() {
      return connections.total;
    },
    forPod() {
      const [connectionShare, handshakeShare] = [connections.forPod(), handshakes.forPod()];
      return {
        take: connectionShare.take,
        takeHandshake: handshakeShare.take,
        [Symbol.dispose]() {
          connectionShare.end();
          handshakeShare.end();
        },
      };
    },
  };
}

interface Places {
  readonly total: number;
  forPod(): { readonly take: () => Place; readonly end: () => void };
}

function createPlaces(limits: AdmissionLimits, what: string): Places {
  let total = 0;
  let pods = 0;
  return {
    get total() {
      return total;
    },
    forPod() {
      let count = 0;
      let counted = true;
      pods++;
      const take = (): Place => {
        const decision = decideAdmission(limits, total, count, pods);
        if (decision !== "admit") return { kind: "refused", message: refusal(decision, limits, what) };
        count++;
        total++;
        let held = true;
        const release = (): void => {
          if (!held) return;
          held = false;
          count--;
          total--;
        };
        return { kind: "admitted", release };
      };
      const end = (): void => {
        if (counted) pods--;
        counted = false;
      };
      return { take, end };
    },
  };
}

function refusal(decision: "processFull" | "podFull", limits: AdmissionLimits, what: string): string {
  return decision === "processFull"
    ? `too many ${what}: this proxy holds ${limits.process}`
    : `too many ${what}: the pod has its share`;
}
