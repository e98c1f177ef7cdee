/** Names and help texts of families as they are printed. */

import type { MetricOptions } from "./family.ts";

/** OpenMetrics names a counter's family without the `_total` of its samples. */
export function counterName(name: string): string {
  return name.replace(/_total$/, "");
}

export function helpText(options: Pick<MetricOptions, "help" | "stable">): string {
  return options.stable === true ? options.help : `${options.help} (unstable)`;
}
