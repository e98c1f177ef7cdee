/** A file in the control plane's place, as changes of the snapshot. */

import type { AddressChange } from "@meltemi/model";
import type { StaticConfig } from "../static-config.ts";

/** Services first: workloads then find theirs. The order makes no difference to the result. */
export function staticChanges(config: StaticConfig): readonly AddressChange[] {
  return [
    ...config.services.map((service) => ({ kind: "service", service }) as const),
    ...config.workloads.map((workload) => ({ kind: "workload", workload }) as const),
  ];
}
