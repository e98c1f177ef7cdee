/** The tables of `ztunnel-config`, in Istio's columns (reference: l7-and-cli §3.3). Pure. */

import { isJson, type Json, jsonAt, objectsAt, textAt, textsAt } from "../output/json.ts";
import { renderTable } from "../output/table.ts";
import type { WorkloadConnections } from "./entries.ts";

/** What is not known. */
const NOT_AVAILABLE = "NA";

export function workloadTable(workloads: readonly Json[], dump: Json): readonly string[] {
  return renderTable(
    ["NAMESPACE", "POD NAME", "ADDRESS", "NODE", "WAYPOINT", "PROTOCOL"],
    workloads.map((workload) => [
      textAt(workload, "namespace"),
      textAt(workload, "name"),
      textsAt(workload, "workloadIps").join(",") || textAt(workload, "hostname"),
      textAt(workload, "node"),
      waypointName(workload, dump),
      textAt(workload, "protocol"),
    ]),
  );
}

export function serviceTable(services: readonly Json[], dump: Json): readonly string[] {
  return renderTable(
    ["NAMESPACE", "SERVICE NAME", "SERVICE VIP", "WAYPOINT", "ENDPOINTS"],
    services.map((service) => {
      const endpoints = Object.values(jsonAt(service, "endpoints") ?? {}).filter(isJson);
      // Istio's ztunnel leaves a healthy status out.
      const healthy = endpoints.filter((endpoint) => textAt(endpoint, "status") !== "Unhealthy");
      return [
        textAt(service, "namespace"),
        textAt(service, "name"),
        textsAt(service, "vips")
          .map((vip) => vip.slice(vip.indexOf("/") + 1))
          .join(","),
        waypointName(service, dump),
        `${healthy.length}/${endpoints.length}`,
      ];
    }),
  );
}

export function policyTable(policies: readonly Json[]): readonly string[] {
  return renderTable(
    ["NAMESPACE", "POLICY NAME", "ACTION", "SCOPE"],
    policies.map((policy) => ["namespace", "name", "action", "scope"].map((key) => textAt(policy, key))),
  );
}

/** `nowMs` decides what is valid. */
export function certificateTable(certificates: readonly Json[], nowMs: number): readonly string[] {
  const header = [
    "CERTIFICATE NAME",
    "TYPE",
    "STATUS",
    "VALID CERT",
    "SERIAL NUMBER",
    "NOT AFTER",
    "NOT BEFORE",
  ];
  return renderTable(
    header,
    certificates.flatMap((certificate) => {
      const [name, state] = [textAt(certificate, "identity"), stateText(certificate)];
      const chain = objectsAt(certificate, "certChain").map((one, index) => ({
        one,
        type: index === 0 ? "Leaf" : "Intermediate",
      }));
      const roots = objectsAt(certificate, "rootCerts").map((one) => ({ one, type: "Root" }));
      if (chain.length === 0)
        return [[name, "Leaf", state, "false", ...Array<string>(3).fill(NOT_AVAILABLE)]];
      return [...chain, ...roots].map(({ one, type }) => [
        name,
        type,
        state,
        ...certificateCells(one, nowMs),
      ]);
    }),
  );
}

/** Istio writes `Available`, `Initializing`, or `{Unavailable: "<why>"}`. */
function stateText(certificate: Json): string {
  const state = certificate["state"];
  return isJson(state)
    ? (Object.keys(state)[0] ?? NOT_AVAILABLE)
    : textAt(certificate, "state") || NOT_AVAILABLE;
}

function certificateCells(certificate: Json, nowMs: number): readonly string[] {
  const [from, until] = [textAt(certificate, "validFrom"), textAt(certificate, "expirationTime")];
  const isValid = Date.parse(from) <= nowMs && nowMs < Date.parse(until);
  return [String(isValid), serialText(textAt(certificate, "serialNumber")), until, from];
}

/** Decimal in dumps, hexadecimal everywhere else. */
function serialText(serial: string): string {
  return /^\d{1,60}$/.test(serial) ? BigInt(serial).toString(16) : serial || NOT_AVAILABLE;
}

/** `raw`: addresses as they are, instead of names. */
export function connectionTable(
  states: readonly WorkloadConnections[],
  dump: Json,
  raw: boolean,
): readonly string[] {
  const named = raw ? (address: string): string => address : addressNames(dump);
  return renderTable(
    ["WORKLOAD", "DIRECTION", "LOCAL", "REMOTE", "REMOTE TARGET", "PROTOCOL"],
    states.flatMap(({ info, connections }) => {
      const workload = `${textAt(info, "name")}.${textAt(info, "namespace")}`;
      const cells = (connection: Json, ...keys: readonly string[]): readonly string[] => [
        ...keys.map((key) => named(textAt(connection, key))),
        textAt(connection, "protocol"),
      ];
      return [
        ...connections.inbound.map((one) => [
          workload,
          "Inbound",
          ...cells(one, "actualDst", "src", "originalDst"),
        ]),
        ...connections.outbound.map((one) => [
          workload,
          "Outbound",
          ...cells(one, "src", "actualDst", "originalDst"),
        ]),
      ];
    }),
  );
}

/** `10.0.0.1:80` → `<name>.<namespace>:80`; an unknown address as it is. */
function addressNames(dump: Json): (address: string) => string {
  const names = new Map<string, string>();
  for (const workload of objectsAt(dump, "workloads"))
    for (const address of textsAt(workload, "workloadIps"))
      names.set(address, `${textAt(workload, "name")}.${textAt(workload, "namespace")}`);
  for (const service of objectsAt(dump, "services"))
    for (const vip of textsAt(service, "vips"))
      names.set(vip.slice(vip.indexOf("/") + 1), textAt(service, "hostname"));
  return (address) => {
    const colon = address.lastIndexOf(":");
    const host = address.slice(0, Math.max(0, colon)).replace(/^\[|\]$/g, "");
    const name = names.get(host);
    return name === undefined ? address : `${name}${address.slice(colon)}`;
  };
}

/** `None` without one, `NA` when it is not known which one it is. */
function waypointName(entry: Json, dump: Json): string {
  const destination = textAt(jsonAt(entry, "waypoint"), "destination");
  if (destination === "") return "None";
  const service = objectsAt(dump, "services").find(
    (one) =>
      textsAt(one, "vips").includes(destination) ||
      `${textAt(one, "namespace")}/${textAt(one, "hostname")}` === destination,
  );
  return textAt(service, "name") || NOT_AVAILABLE;
}
