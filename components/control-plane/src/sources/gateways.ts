/** Gateway and GatewayClass → facts (reference: l7-and-cli §1.2-1.6). */

import {
  type Gateway,
  type GatewayAddressValue,
  type GatewayClass,
  type GatewayListener,
  type KubernetesObject,
  requirementsOf,
} from "@meltemi/kubernetes";
import { parseIp } from "@meltemi/model";
import type {
  AllowedNamespaces,
  GatewayClassFacts,
  InboundBinding,
  WaypointFacts,
  WaypointTraffic,
} from "../compile/facts.ts";
import { annotationOf, labelsOf } from "./labels.ts";

export function gatewayClassFacts(gatewayClass: GatewayClass): GatewayClassFacts {
  return {
    name: gatewayClass.metadata?.name ?? "",
    controllerName: gatewayClass.spec?.controllerName ?? "",
    trafficType: trafficTypeOf(gatewayClass),
    inboundBinding: inboundBindingOf(gatewayClass),
  };
}

export function waypointFacts(gateway: Gateway): WaypointFacts {
  return {
    namespace: gateway.metadata?.namespace ?? "",
    name: gateway.metadata?.name ?? "",
    className: gateway.spec?.gatewayClassName ?? "",
    trafficType: trafficTypeOf(gateway),
    inboundBinding: inboundBindingOf(gateway),
    serviceAccount: serviceAccountOf(gateway),
    addresses: (gateway.status?.addresses ?? []).flatMap(gatewayAddress),
    listeners: (gateway.spec?.listeners ?? []).map((listener) => ({
      port: listener.port,
      protocol: listener.protocol,
      allowedNamespaces: allowedNamespacesOf(listener),
    })),
  };
}

/** The same that its pods are made with (reference: l7-and-cli §1.6). */
export function serviceAccountOf(gateway: Gateway): string {
  return annotationOf(gateway, "gateway.istio.io/service-account") ?? gateway.metadata?.name ?? "";
}

const TRAFFIC_TYPES: readonly WaypointTraffic[] = ["service", "workload", "all", "none"];

/** A value that is none of these counts as not given. */
function trafficTypeOf(object: KubernetesObject): WaypointTraffic | undefined {
  const asked = labelsOf(object)["istio.io/waypoint-for"];
  return TRAFFIC_TYPES.find((type) => type === asked);
}

/** `<protocol>[/<port>]`; what cannot be read counts as not given. */
function inboundBindingOf(object: KubernetesObject): InboundBinding | undefined {
  const text = annotationOf(object, "ambient.istio.io/waypoint-inbound-binding");
  const [, protocol, port] = /^(NONE|PROXY)(?:\/(\d{1,5}))?$/.exec(text ?? "") ?? [];
  if (protocol === undefined || Number(port ?? 1) < 1 || Number(port ?? 1) > 65_535) return undefined;
  return {
    protocol: protocol === "PROXY" ? "proxy" : "none",
    port: port === undefined ? undefined : Number(port),
  };
}

function gatewayAddress({ type = "IPAddress", value = "" }: GatewayAddressValue): WaypointFacts["addresses"] {
  if (type === "Hostname") return value === "" ? [] : [{ kind: "hostname", hostname: value }];
  const ip = parseIp(value);
  return ip === undefined ? [] : [{ kind: "ip", ip }];
}

/** A selector that cannot be read, or is not there, allows nobody else: it must not open what it was to close. */
function allowedNamespacesOf(listener: GatewayListener): AllowedNamespaces {
  const namespaces = listener.allowedRoutes?.namespaces;
  switch (namespaces?.from) {
    case "All":
      return { kind: "all" };
    case "Selector": {
      const parsed = namespaces.selector && requirementsOf(namespaces.selector);
      return parsed?.kind === "ok"
        ? { kind: "selector", requirements: parsed.requirements }
        : {
            kind: "selector",
            requirements: [{ kind: "in", key: "kubernetes.io/metadata.name", values: [] }],
          };
    }
    default:
      return { kind: "same" };
  }
}
