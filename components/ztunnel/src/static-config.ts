/**
 * Local configuration in YAML (`LOCAL_XDS_PATH`, `LOCAL_XDS`; reference: protocol §8.4): the mesh of a test or of a single
 * machine, in the words of the config dump. Unknown keys are refused, with the path to them.
 */

import type { Policy, Service, Workload } from "@meltemi/model";
import { readPolicy, readPorts, readService, readWorkload, Shape } from "@meltemi/model/dump";
import { MeshError } from "@meltemi/runtime";
import { parse } from "yaml";

export interface StaticConfig {
  readonly workloads: readonly Workload[];
  readonly services: readonly Service[];
  readonly policies: readonly Policy[];
}

/** Throws CONFIG_INVALID with every fault and where it stands. */
export function parseStaticConfig(text: string, origin: string): StaticConfig {
  let raw: unknown;
  try {
    // Aliases can multiply a small text into gigabytes; nobody needs one here.
    raw = parse(text, { maxAliasCount: 0, logLevel: "error" });
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `read ${origin}: not YAML`, { cause });
  }
  const problems: string[] = [];
  const root = new Shape(raw ?? {}, "", problems);
  const config: StaticConfig = {
    workloads: root.list("workloads").map(readLocalWorkload),
    services: root.list("services").map(readService),
    policies: root.list("policies").map(readPolicy),
  };
  root.end();
  if (problems.length > 0) throw new MeshError("CONFIG_INVALID", `read ${origin}: ${problems.join("; ")}`);
  return config;
}

/** Here a workload says itself which services it backs: `"<namespace>/<host>": { <service port>: <target port> }`. */
function readLocalWorkload(shape: Shape): Workload {
  const services = shape.entries("services").map(([key, ports]) => [key, readPorts(ports)] as const);
  return readWorkload(shape, new Map(services));
}
