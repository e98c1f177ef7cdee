/** Printer columns of the core group besides pods. */
import { at, type Json, listAt, numberAt, textAt, textMapAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { ageOf } from "./age.ts";
import { AGE, field, integer, mapText, NAME, orNone, text } from "./columns.ts";
import type { Column } from "./resource.ts";

export const NAMESPACE_COLUMNS: readonly Column[] = [NAME, field("Status", ["status", "phase"]), AGE];

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  field("Type", ["spec", "type"]),
  text("Cluster-IP", (service) => orNone(textAt(service, "spec", "clusterIP") ?? "")),
  text("External-IP", externalAddress),
  text("Port(s)", (service) => orNone(listAt(service, "spec", "ports").map(portText).join(","))),
  AGE,
  text("Selector", (service) => mapText(at(service, "spec", "selector")), 1),
];

function externalAddress(service: KubeObject): string {
  const type = textAt(service, "spec", "type");
  if (type === "ExternalName") return textAt(service, "spec", "externalName") ?? "<none>";
  const ingress = listAt(service, "status", "loadBalancer", "ingress").map(
    (entry) => textAt(entry, "ip") ?? textAt(entry, "hostname") ?? "",
  );
  const all = [...ingress, ...listAt(service, "spec", "externalIPs")].join(",");
  return all === "" && type === "LoadBalancer" ? "<pending>" : orNone(all);
}

function portText(port: Json): string {
  const nodePort = numberAt(port, "nodePort") ?? 0;
  const number = numberAt(port, "port") ?? 0;
  return `${nodePort === 0 ? number : `${number}:${nodePort}`}/${textAt(port, "protocol") ?? "TCP"}`;
}

export const CONFIG_MAP_COLUMNS: readonly Column[] = [
  NAME,
  text("Data", (map) =>
    String(Object.keys(textMapAt(map, "data")).length + Object.keys(textMapAt(map, "binaryData")).length),
  ),
  AGE,
];

export const SECRET_COLUMNS: readonly Column[] = [
  NAME,
  field("Type", ["type"]),
  text("Data", (secret) => String(Object.keys(textMapAt(secret, "data")).length)),
  AGE,
];

export const SERVICE_ACCOUNT_COLUMNS: readonly Column[] = [
  NAME,
  integer("Secrets", (account) => listAt(account, "secrets").length),
  AGE,
];

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  text("Status", nodeStatus),
  text("Roles", nodeRoles),
  AGE,
  field("Version", ["status", "nodeInfo", "kubeletVersion"]),
  text("Internal-IP", (node) => nodeAddress(node, "InternalIP"), 1),
  text("External-IP", (node) => nodeAddress(node, "ExternalIP"), 1),
  field("OS-Image", ["status", "nodeInfo", "osImage"], "<unknown>", 1),
  field("Kernel-Version", ["status", "nodeInfo", "kernelVersion"], "<unknown>", 1),
  field("Container-Runtime", ["status", "nodeInfo", "containerRuntimeVersion"], "<unknown>", 1),
];

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, "status", "conditions").find(
    (condition) => textAt(condition, "type") === "Ready",
  );
  const status = ready === undefined ? "Unknown" : textAt(ready, "status") === "True" ? "Ready" : "NotReady";
  return at(node, "spec", "unschedulable") === true ? `${status},SchedulingDisabled` : status;
}

const ROLE_LABEL = "node-role.kubernetes.io/";

function nodeRoles(node: KubeObject): string {
  const roles = Object.keys(textMapAt(node, "metadata", "labels"))
    .filter((key) => key.startsWith(ROLE_LABEL) && key.length > ROLE_LABEL.length)
    .map((key) => key.slice(ROLE_LABEL.length));
  return orNone(roles.sort().join(","));
}

function nodeAddress(node: KubeObject, type: string): string {
  const found = listAt(node, "status", "addresses").find((address) => textAt(address, "type") === type);
  return orNone(textAt(found, "address") ?? "");
}

export const EVENT_COLUMNS: readonly Column[] = [
  text("Last Seen", lastSeen),
  field("Type", ["type"]),
  field("Reason", ["reason"]),
  text("Object", involved),
  field("Subobject", ["involvedObject", "fieldPath"], "", 1),
  text("Source", eventSource, 1),
  text("Message", (event) => (textAt(event, "message") ?? "").trim()),
  text(
    "First Seen",
    (event, nowMs) => ageOf(textAt(event, "firstTimestamp") ?? textAt(event, "eventTime"), nowMs),
    1,
  ),
  text("Count", (event) => String(numberAt(event, "series", "count") ?? numberAt(event, "count") ?? 1), 1),
  { ...NAME, priority: 1 },
];

function lastSeen(event: KubeObject, nowMs: number): string {
  const time =
    textAt(event, "series", "lastObservedTime") ??
    textAt(event, "lastTimestamp") ??
    textAt(event, "eventTime");
  return ageOf(time, nowMs);
}

function involved(event: KubeObject): string {
  const kind = (textAt(event, "involvedObject", "kind") ?? "").toLowerCase();
  return `${kind}/${textAt(event, "involvedObject", "name") ?? ""}`;
}

function eventSource(event: KubeObject): string {
  const component = textAt(event, "source", "component") ?? textAt(event, "reportingComponent") ?? "";
  const host = textAt(event, "source", "host") ?? "";
  return host === "" ? component : `${component}, ${host}`;
}

export const ENDPOINTS_COLUMNS: readonly Column[] = [NAME, text("Endpoints", endpointsText), AGE];

/** As many as a line of a terminal takes; Kubernetes shows three as well. */
const SHOWN_ENDPOINTS = 3;

function endpointsText(endpoints: KubeObject): string {
  const all = listAt(endpoints, "subsets").flatMap((subset) => {
    const hosts = listAt(subset, "addresses").map((address) => textAt(address, "ip") ?? "");
    const ports = listAt(subset, "ports").map((port) => numberAt(port, "port") ?? 0);
    return ports.length === 0
      ? hosts
      : hosts.flatMap((host) => ports.map((port) => `${bracketed(host)}:${port}`));
  });
  return shortened(all, SHOWN_ENDPOINTS);
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function shortened(all: readonly (string | number)[], most: number): string {
  if (all.length === 0) return "<none>";
  const rest = all.length - most;
  return rest > 0 ? `${all.slice(0, most).join(",")} + ${rest} more...` : all.join(",");
}

export const ENDPOINT_SLICE_COLUMNS: readonly Column[] = [
  NAME,
  field("AddressType", ["addressType"]),
  text("Ports", (slice) => orUnset(listAt(slice, "ports").map((port) => numberAt(port, "port") ?? "*"))),
  text("Endpoints", (slice) =>
    orUnset(listAt(slice, "endpoints").flatMap((endpoint) => listAt(endpoint, "addresses").map(String))),
  ),
  AGE,
];

function orUnset(all: readonly (string | number)[]): string {
  return all.length === 0 ? "<unset>" : shortened(all, SHOWN_ENDPOINTS);
}
