/** What `analyze` says. Codes IST are Istio's, with its meaning (reference: l7-and-cli §3.5); codes MLT are about ambient mode, which Istio's do not cover. */

import type { MeshObject } from "../mesh-objects/object-set.ts";
import { printable } from "../output/printable.ts";

export type Level = "Info" | "Warning" | "Error";

export interface MessageType {
  readonly code: string;
  readonly name: string;
  readonly level: Level;
}

function type(code: string, name: string, level: Level): MessageType {
  return { code, name, level };
}

export type MessageName =
  | "referencedResourceNotFound"
  | "namespaceNotInjected"
  | "podMissingProxy"
  | "schemaValidationError"
  | "conflictingMeshHosts"
  | "portSelectorRequired"
  | "portNaming"
  | "multipleInjectionLabels"
  | "noMatchingWorkloads"
  | "noCaCertificates"
  | "unreachableRule"
  | "ineffectiveSelector"
  | "ineffectivePolicy"
  | "negativeCondition"
  | "emptySubset"
  | "unknownRuleHost"
  | "waypointUnused"
  | "hboneBlocked"
  | "policyWithoutWaypoint"
  | "routeWithoutWaypoint"
  | "sidecarBypassesWaypoint"
  | "waypointNotAllowed"
  | "routesMixed"
  | "injectionAndAmbient"
  | "portProtocolUnknown"
  | "exportToIgnored"
  | "trustDomainsIgnored"
  | "annotationIgnored"
  | "waypointTrafficType"
  | "requiredWaypointUnusable"
  | "requiredWaypointBypassed"
  | "requiredWaypointUnreadable"
  | "nodeWithoutZtunnel"
  | "controlPlaneDown";

const MESSAGES: Readonly<Record<MessageName, MessageType>> = {
  referencedResourceNotFound: type("IST0101", "ReferencedResourceNotFound", "Error"),
  namespaceNotInjected: type("IST0102", "NamespaceNotInjected", "Info"),
  podMissingProxy: type("IST0103", "PodMissingProxy", "Warning"),
  schemaValidationError: type("IST0106", "SchemaValidationError", "Error"),
  conflictingMeshHosts: type("IST0109", "ConflictingMeshGatewayVirtualServiceHosts", "Error"),
  portSelectorRequired: type("IST0112", "VirtualServiceDestinationPortSelectorRequired", "Error"),
  portNaming: type("IST0118", "PortNameIsNotUnderNamingConvention", "Info"),
  multipleInjectionLabels: type("IST0123", "NamespaceMultipleInjectionLabels", "Warning"),
  noMatchingWorkloads: type("IST0127", "NoMatchingWorkloadsFound", "Warning"),
  noCaCertificates: type("IST0128", "NoServerCertificateVerificationDestinationLevel", "Warning"),
  unreachableRule: type("IST0130", "VirtualServiceUnreachableRule", "Warning"),
  ineffectiveSelector: type("IST0166", "IneffectiveSelector", "Warning"),
  ineffectivePolicy: type("IST0167", "IneffectivePolicy", "Warning"),
  negativeCondition: type("IST0171", "NegativeConditionStatus", "Warning"),
  emptySubset: type("IST0173", "DestinationRuleSubsetNotSelectPods", "Error"),
  unknownRuleHost: type("IST0174", "UnknownDestinationRuleHost", "Warning"),
  waypointUnused: type("MLT0001", "WaypointUnused", "Warning"),
  hboneBlocked: type("MLT0002", "NetworkPolicyBlocksHbone", "Error"),
  policyWithoutWaypoint: type("MLT0003", "PolicyNeedsWaypoint", "Warning"),
  routeWithoutWaypoint: type("MLT0004", "RouteNeedsWaypoint", "Warning"),
  sidecarBypassesWaypoint: type("MLT0005", "SidecarBypassesWaypoint", "Warning"),
  waypointNotAllowed: type("MLT0006", "WaypointNotAllowed", "Warning"),
  routesMixed: type("MLT0007", "RoutesMixed", "Warning"),
  injectionAndAmbient: type("MLT0008", "InjectionAndAmbient", "Warning"),
  portProtocolUnknown: type("MLT0009", "PortProtocolUnknown", "Info"),
  exportToIgnored: type("MLT0010", "ExportToIgnored", "Info"),
  trustDomainsIgnored: type("MLT0011", "TrustDomainsIgnored", "Warning"),
  annotationIgnored: type("MLT0012", "AnnotationIgnored", "Info"),
  waypointTrafficType: type("MLT0013", "WaypointServesOtherTraffic", "Warning"),
  // MLT0014 is precheck's.
  requiredWaypointUnusable: type("MLT0015", "RequiredWaypointUnusable", "Error"),
  requiredWaypointBypassed: type("MLT0016", "RequiredWaypointBypassed", "Error"),
  requiredWaypointUnreadable: type("MLT0017", "RequiredWaypointUnreadable", "Warning"),
  nodeWithoutZtunnel: type("MLT0018", "NodeWithoutZtunnel", "Error"),
  controlPlaneDown: type("MLT0019", "ControlPlaneDown", "Warning"),
};

export interface Message {
  readonly type: MessageType;
  readonly object: MeshObject;
  readonly text: string;
}

export function message(which: MessageName, object: MeshObject, text: string): Message {
  return { type: MESSAGES[which], object, text };
}

const LEVELS: readonly Level[] = ["Info", "Warning", "Error"];

export function isAtLeast(level: Level, threshold: Level): boolean {
  return LEVELS.indexOf(level) >= LEVELS.indexOf(threshold);
}

/** `<Kind> <name>.<namespace>`, as suppressions name objects. */
export function resourceName({ kind, name, namespace }: MeshObject): string {
  return namespace === "" ? `${kind} ${name}` : `${kind} ${name}.${namespace}`;
}

/** One line of the log. */
export function formatMessage({ type: { code, level }, object, text }: Message): string {
  const place = object.namespace === "" ? object.name : `${object.namespace}/${object.name}`;
  const origin = object.origin === "" ? "" : ` ${object.origin}`;
  return printable(`${level} [${code}] (${object.kind} ${place}${origin}) ${text}`);
}

/** As `-o json` and `-o yaml` print it. */
export function messageDocument({
  type: { code, name, level },
  object,
  text,
}: Message): Readonly<Record<string, string>> {
  return {
    code,
    name,
    level,
    origin: resourceName(object),
    ...(object.origin !== "" && { reference: object.origin }),
    message: text,
  };
}
