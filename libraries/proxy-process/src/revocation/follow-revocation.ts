/** Revocation lists of a proxy's settings, proven by the authorities that it knows, as a condition of its readiness. */

import type { CertificateManager } from "@meltemi/identity";
import type { Clock, Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { Readiness } from "../admin/readiness.ts";
import { type CrlFile, followCrlFile } from "./crl-file.ts";
import { followAuthorities } from "./known-authorities.ts";
import type { PeerRevocation } from "./peer-revocation.ts";

export interface RevocationDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly certificates: Pick<CertificateManager, "onRotated">;
  /** PEM of the CA's roots; undefined when they are not known by file. */
  readonly caRoots?: (() => Promise<string>) | undefined;
}

/** Undefined without a path: nobody is revoked. */
export function followRevocation(
  crlPath: string | undefined,
  revocation: PeerRevocation,
  readiness: Readiness,
  deps: RevocationDeps,
): CrlFile | undefined {
  if (crlPath === undefined) return undefined;
  const task = readiness.task("revocation lists");
  const authorities = followAuthorities({ certificates: deps.certificates, readRoots: deps.caRoots });
  const file = followCrlFile(crlPath, {
    clock: deps.clock,
    logger: deps.logger.scope("crl"),
    registry: deps.registry,
    authorities: () => authorities.list(),
    onLists: (lists) => revocation.replace(lists),
  });
  return {
    ready: file.ready.then(() => task.done()),
    [Symbol.dispose]() {
      file[Symbol.dispose]();
      authorities[Symbol.dispose]();
    },
  };
}
