/** ServiceEntry, networking.istio.io/v1 (reference: l7-and-cli §2.7): a service that Kubernetes does not know. */

import type { Metadata } from "../metadata.ts";
import { fieldsAt, fieldsList, numberAt, parseObject, textAt, textList } from "../parse-object.ts";
import { type Parsed, type Problems, shown } from "../problem.ts";
import {
  type Fields,
  has,
  isFields,
  list,
  map,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type Schema,
  text,
} from "../schema/schema.ts";
import { isAddressBlock } from "./addresses.ts";
import { ISTIO_STATUS } from "./status.ts";
import { readLabels } from "./target.ts";
import { type EntryEndpoint, PORT_NUMBER, readEndpoint, WORKLOAD_ENTRY_SPEC } from "./workload-entry.ts";

export type ServiceResolution = "none" | "static" | "dns" | "dnsRoundRobin" | "dynamicDns";

export interface ServiceEntryPort {
  readonly name: string;
  readonly number: number;
  /** As written: `HTTP`, `TLS`, `GRPC`, …; empty when not said. */
  readonly protocol: string;
  /** Undefined: the same as `number`. */
  readonly targetPort: number | undefined;
}

/** Where the endpoints come from. */
export type ServiceEntryBackends =
  | { readonly kind: "endpoints"; readonly endpoints: readonly EntryEndpoint[] }
  | { readonly kind: "selector"; readonly labels: ReadonlyMap<string, string> };

export interface ServiceEntry {
  readonly metadata: Metadata;
  readonly hosts: readonly string[];
  /** IP addresses or CIDR blocks, well-formed. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServiceEntryPort[];
  readonly location: "external" | "internal";
  readonly resolution: ServiceResolution;
  readonly backends: ServiceEntryBackends;
  readonly exportTo: readonly string[];
  readonly subjectAltNames: readonly string[];
  /** From the status: addresses that the control plane allocated. */
  readonly allocatedAddresses: readonly { readonly value: string; readonly host: string }[];
}

const PORT: ObjectSchema = object(
  {
    name: text({ maxLength: 256 }),
    number: PORT_NUMBER,
    protocol: text({ maxLength: 256 }),
    targetPort: PORT_NUMBER,
  },
  { required: ["number", "name"] },
);

const RULES: readonly Rule<Fields>[] = [
  {
    message: "only one of WorkloadSelector or Endpoints can be set",
    cel: "!(has(self.workloadSelector) && has(self.endpoints))",
    holds: (spec) => !(has(spec, "workloadSelector") && has(spec, "endpoints")),
  },
  {
    message: "CIDR addresses are allowed only for NONE/STATIC resolution types",
    cel:
      "!has(self.addresses) || !has(self.resolution) || self.resolution in ['NONE', 'STATIC'] || " +
      "!self.addresses.exists(address, address.contains('/'))",
    holds: (spec) =>
      ["NONE", "STATIC"].includes(textAt(spec, "resolution") ?? "NONE") ||
      !textList(spec, "addresses").some((address) => address.includes("/")),
  },
  {
    message: "NONE mode cannot set endpoints",
    cel: "(has(self.resolution) && self.resolution != 'NONE') || !has(self.endpoints)",
    holds: (spec) => (textAt(spec, "resolution") ?? "NONE") !== "NONE" || !has(spec, "endpoints"),
  },
  {
    message: "DNS_ROUND_ROBIN mode cannot have multiple endpoints",
    cel:
      "!has(self.resolution) || self.resolution != 'DNS_ROUND_ROBIN' || !has(self.endpoints) || " +
      "self.endpoints.size() <= 1",
    holds: (spec) =>
      textAt(spec, "resolution") !== "DNS_ROUND_ROBIN" || fieldsList(spec, "endpoints").length <= 1,
  },
];

const PORTS: Schema = list(PORT, {
  maxItems: 256,
  mapKeys: ["name"],
  rules: [
    {
      message: "port number cannot be duplicated",
      cel: "self.all(port, self.exists_one(other, other.number == port.number))",
      holds: (ports) => new Set(ports.map((port) => isFields(port) && port["number"])).size === ports.length,
    },
  ],
});

const NO_WILDCARD: Rule<string> = {
  message: "wildcard is not supported in selector",
  cel: '!self.contains("*")',
  holds: (value) => !value.includes("*"),
};

export const SERVICE_ENTRY_SPEC: ObjectSchema = object(
  {
    hosts: list(
      text({
        rules: [
          { message: "hostname cannot be wildcard", cel: 'self != "*"', holds: (host) => host !== "*" },
        ],
      }),
      { minItems: 1, maxItems: 256 },
    ),
    addresses: list(text({ maxLength: 64 }), { maxItems: 256 }),
    ports: PORTS,
    location: oneOf("MESH_EXTERNAL", "MESH_INTERNAL"),
    resolution: oneOf("NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
    endpoints: list(WORKLOAD_ENTRY_SPEC, { maxItems: 4096 }),
    workloadSelector: object({
      labels: map(text({ maxLength: 63, rules: [NO_WILDCARD] }), { maxProperties: 256 }),
    }),
    exportTo: list(text()),
    subjectAltNames: list(text()),
  },
  { required: ["hosts"], rules: RULES },
);

export const SERVICE_ENTRY_STATUS: ObjectSchema = {
  ...ISTIO_STATUS,
  properties: { ...ISTIO_STATUS.properties, addresses: list(object({ value: text(), host: text() })) },
};

export function parseServiceEntry(value: unknown): Parsed<ServiceEntry> {
  return parseObject("ServiceEntry", SERVICE_ENTRY_SPEC, value, (spec, metadata, problems) => ({
    metadata,
    hosts: textList(spec, "hosts"),
    addresses: readAddresses(spec, problems),
    ports: fieldsList(spec, "ports").map(readPort),
    location: textAt(spec, "location") === "MESH_INTERNAL" ? "internal" : "external",
    resolution: RESOLUTIONS[textAt(spec, "resolution") ?? "NONE"] ?? "none",
    backends: readBackends(spec),
    exportTo: textList(spec, "exportTo"),
    subjectAltNames: textList(spec, "subjectAltNames"),
    allocatedAddresses: readAllocated(value),
  }));
}

const RESOLUTIONS: Readonly<Record<string, ServiceResolution>> = {
  NONE: "none",
  STATIC: "static",
  DNS: "dns",
  DNS_ROUND_ROBIN: "dnsRoundRobin",
  DYNAMIC_DNS: "dynamicDns",
};

function readAddresses(spec: Fields, problems: Problems): readonly string[] {
  const addresses = textList(spec, "addresses");
  for (const [index, address] of addresses.entries()) {
    if (!isAddressBlock(address))
      problems.add(`spec.addresses[${index}]`, `expected an IP address or CIDR block, got ${shown(address)}`);
  }
  return addresses;
}

function readPort(port: Fields): ServiceEntryPort {
  return {
    name: textAt(port, "name") ?? "",
    number: numberAt(port, "number") ?? 0,
    protocol: textAt(port, "protocol") ?? "",
    targetPort: numberAt(port, "targetPort"),
  };
}

function readBackends(spec: Fields): ServiceEntryBackends {
  const selector = fieldsAt(spec, "workloadSelector");
  if (selector !== undefined) return { kind: "selector", labels: readLabels(fieldsAt(selector, "labels")) };
  return { kind: "endpoints", endpoints: fieldsList(spec, "endpoints").map(readEndpoint) };
}

/** The status is ours, but anyone who may write it can have: what is not well-formed is left out. */
function readAllocated(value: unknown): readonly { readonly value: string; readonly host: string }[] {
  const status = isFields(value) ? fieldsAt(value, "status") : undefined;
  return fieldsList(status ?? {}, "addresses").flatMap((each) => {
    if (!isFields(each)) return [];
    const address = textAt(each, "value") ?? "";
    return isAddressBlock(address) ? [{ value: address, host: textAt(each, "host") ?? "" }] : [];
  });
}
