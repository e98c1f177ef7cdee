/** What this process is, and what the kernel knows of it. */

import { readdirSync, readFileSync } from "node:fs";
import type { Registry } from "@meltemi/telemetry";

/** `RLIMIT_NOFILE`, which Node has raised to its hard bound by now. */
export function maxOpenFiles(): number {
  const [, soft] = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === undefined || soft === "unlimited" ? 2 ** 20 : Number(soft);
}

/** `istio_build`: which part of Istio this stands for, and its version. */
export function tellBuild(registry: Registry, component: "ztunnel" | "proxy", tag: string): void {
  registry
    .gauge({
      name: "istio_build",
      help: "Istio component build info",
      stable: true,
      labels: ["component", "tag"],
    })
    .labels({ component, tag })
    .set(1);
}

export function collectProcessMetrics(registry: Registry): void {
  const open = registry.gauge({
    name: "process_open_fds",
    help: "Number of open file descriptors",
    stable: true,
  });
  const max = registry.gauge({
    name: "process_max_fds",
    help: "Maximum number of open file descriptors",
    stable: true,
  });
  registry.onCollect(() => {
    open.labels().set(readdirSync("/proc/self/fd").length);
    max.labels().set(maxOpenFiles());
  });
}
