/** What a running waypoint is made of, and what its parts need of each other. */

import type { LookupAddress } from "node:dns";
import type { HbonePool } from "@meltemi/hbone";
import type { CertificateManager, TlsContexts } from "@meltemi/identity";
import type { Relays } from "@meltemi/l4";
import type { PortServer, Telemetry } from "@meltemi/l7";
import type {
  AdmissionLimits,
  PeerRevocation,
  ReportInternalError,
  SnapshotStore,
} from "@meltemi/proxy-process";
import type { Clock, LogFilter, Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { WaypointXdsUpdate, XdsClient } from "@meltemi/xds";
import type { WaypointConfig } from "./config.ts";
import type { SiteBook } from "./sites/site-book.ts";
import type { Self } from "./world/self.ts";
import type { WaypointWorld } from "./world/world.ts";

export interface WaypointDeps {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly requestId: () => string;
  readonly logger: Logger;
  readonly filter: LogFilter;
  readonly registry: Registry;
  /** Lines of the access log, each with its end. */
  readonly writeLine: (line: string) => void;
  readonly certificates: CertificateManager;
  /** PEM of the CA's roots, by which revocation lists are proven; absent when only the machine's own roots are trusted. */
  readonly caRoots: (() => Promise<string>) | undefined;
  readonly admission: AdmissionLimits;
  readonly lookup: (hostname: string) => Promise<readonly LookupAddress[]>;
  readonly controlPlane: (onUpdate: (update: WaypointXdsUpdate) => readonly []) => XdsClient;
}

/** What the parts of a running waypoint need of each other. */
export interface WaypointParts {
  readonly config: WaypointConfig;
  readonly deps: WaypointDeps;
  readonly self: Self;
  readonly world: SnapshotStore<WaypointWorld>;
  readonly revocation: PeerRevocation;
  /** The waypoint's own certificate as TLS contexts, the newest one each time. */
  readonly certificate: () => Promise<TlsContexts>;
  readonly reportInternalError: ReportInternalError;
}

/** How requests are carried, once tunnels bring them. */
export interface DataPath {
  readonly sites: SiteBook;
  readonly server: PortServer;
  readonly relays: Relays;
  readonly pool: HbonePool;
  readonly telemetry: Telemetry;
}
