/** WorkloadEntry, networking.istio.io/v1 (reference: l7-and-cli §2.7): a workload outside of pods. */

import type { Metadata } from "../metadata.ts";
import { fieldsAt, numberAt, parseObject, textAt } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import {
  type Fields,
  has,
  type IntegerSchema,
  integer,
  map,
  type ObjectSchema,
  object,
  type Schema,
  text,
} from "../schema/schema.ts";
import { readLabels } from "./target.ts";

/** An endpoint as a WorkloadEntry and the endpoints of a ServiceEntry say it. */
export interface EntryEndpoint {
  /** IP address, DNS name, `unix://…`, or empty: then the network's gateway is meant. */
  readonly address: string;
  /** Port name → number. */
  readonly ports: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, string>;
  readonly network: string;
  /** `region/zone/subzone` */
  readonly locality: string;
  /** Undefined when not said. */
  readonly weight: number | undefined;
  readonly serviceAccount: string;
}

export interface WorkloadEntry extends EntryEndpoint {
  readonly metadata: Metadata;
}

const MAX_UINT32 = 4_294_967_295;

/** Istio's schema types ports as 32-bit numbers and bounds them by a rule; so that messages are the same, so do we. */
export const PORT_NUMBER: IntegerSchema = integer({
  min: 0,
  max: MAX_UINT32,
  rules: [
    {
      message: "port must be between 1-65535",
      cel: "0 < self && self <= 65535",
      holds: (port) => port > 0 && port <= 65535,
    },
  ],
});

const PORT_NAME = /^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$/;

const ENTRY_PROPERTIES: Readonly<Record<string, Schema>> = {
  address: text({
    maxLength: 256,
    rules: [
      {
        message: "UDS must be an absolute path or abstract socket",
        cel: '!self.startsWith("unix://") || self.startsWith("unix:///") || self.startsWith("unix://@")',
        holds: (address) => !address.startsWith("unix://") || /^unix:\/\/[/@]/.test(address),
      },
      {
        message: "UDS may not be a dir",
        cel: '!self.startsWith("unix://") || !self.endsWith("/")',
        holds: (address) => !address.startsWith("unix://") || !address.endsWith("/"),
      },
    ],
  }),
  ports: map(PORT_NUMBER, {
    maxProperties: 128,
    rules: [
      {
        message: "port name must be valid",
        cel: 'self.all(key, size(key) < 63 && key.matches("^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$"))',
        holds: (ports) => Object.keys(ports).every((name) => name.length < 63 && PORT_NAME.test(name)),
      },
    ],
  }),
  labels: map(text(), { maxProperties: 256 }),
  network: text({ maxLength: 2048 }),
  locality: text({ maxLength: 2048 }),
  weight: integer({ min: 0, max: MAX_UINT32 }),
  serviceAccount: text({ maxLength: 253 }),
};

export const WORKLOAD_ENTRY_SPEC: ObjectSchema = object(ENTRY_PROPERTIES, {
  rules: [
    {
      message: "Address is required",
      cel: "has(self.address) || has(self.network)",
      holds: (entry) => has(entry, "address") || has(entry, "network"),
    },
    {
      message: "UDS may not include ports",
      cel: '!has(self.address) || !self.address.startsWith("unix://") || !has(self.ports)',
      holds: (entry) => !(textAt(entry, "address") ?? "").startsWith("unix://") || !has(entry, "ports"),
    },
  ],
});

export function parseWorkloadEntry(value: unknown): Parsed<WorkloadEntry> {
  return parseObject("WorkloadEntry", WORKLOAD_ENTRY_SPEC, value, (spec, metadata) => ({
    metadata,
    ...readEndpoint(spec),
  }));
}

/** Reads fields that satisfy {@link WORKLOAD_ENTRY_SPEC}. */
export function readEndpoint(entry: Fields): EntryEndpoint {
  const ports = Object.entries(fieldsAt(entry, "ports") ?? {}) as [string, number][];
  return {
    address: textAt(entry, "address") ?? "",
    ports: new Map(ports),
    labels: readLabels(fieldsAt(entry, "labels")),
    network: textAt(entry, "network") ?? "",
    locality: textAt(entry, "locality") ?? "",
    weight: numberAt(entry, "weight"),
    serviceAccount: textAt(entry, "serviceAccount") ?? "",
  };
}
