/** The look-ups of this process, as its configuration asks for them. */

import { type AddressChange, serviceKey } from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import type { Clock } from "@meltemi/runtime";
import type { Gauge, Registry } from "@meltemi/telemetry";
import type { ZtunnelConfig } from "../config.ts";
import type { StaticConfig } from "../static-config.ts";
import { type Lookups, lookupsOfWholeMesh } from "./lookups.ts";
import { createOnDemandLookups, type DemandedClient } from "./lookups-on-demand.ts";

export interface ProcessLookups extends Lookups, Disposable {
  /** Once, before the first connection. */
  useControlPlane(client: DemandedClient): void;
}

interface ProcessLookupsDeps {
  readonly mesh: MeshStore;
  readonly clock: Clock;
  readonly registry: Registry;
  readonly drop: (changes: readonly AddressChange[]) => void;
  readonly staticConfig?: StaticConfig | undefined;
  /** Absent: there is nobody to ask. */
  readonly controlPlane?: unknown;
}

export function createProcessLookups(
  { xds, node }: Pick<ZtunnelConfig, "xds" | "node">,
  deps: ProcessLookupsDeps,
): ProcessLookups {
  if (!xds.onDemand || deps.controlPlane === undefined)
    return {
      ...lookupsOfWholeMesh(deps.mesh),
      useControlPlane: () => undefined,
      [Symbol.dispose]: () => undefined,
    };
  const followed = createFollowedNamesGauge(deps.registry);
  const { workloads = [], services = [] } = deps.staticConfig ?? {};
  return createOnDemandLookups({
    mesh: deps.mesh,
    clock: deps.clock,
    node: node.nodeName,
    drop: deps.drop,
    staticNames: new Set([...workloads.map(({ uid }) => uid), ...services.map(serviceKey)]),
    onNameCount: (count) => followed.set(count),
  });
}

export function createFollowedNamesGauge(registry: Registry): Gauge {
  return registry
    .gauge({
      name: "meltemi_xds_followed_names",
      help: "Addresses and names that this proxy asked the control plane for and still follows (XDS_ON_DEMAND)",
    })
    .labels();
}
