/** The status of a waypoint's Gateway (reference: l7-and-cli §1.2, §1.6, §1.9). Pure. */

import type {
  EndpointSlice,
  Gateway,
  GatewayAddressValue,
  GatewayListener,
  Service,
} from "@meltemi/kubernetes";
import type { ConditionContent } from "../status/condition.ts";
import { annotationOf, generatedName } from "./metadata.ts";
import { describeParameters, isManaged, type Parameters } from "./plan.ts";

export interface GatewayFacts {
  readonly gateway: Gateway;
  readonly parameters: Parameters;
  /** Why nothing could be rendered; undefined when it could. */
  readonly refusal: string | undefined;
  /** The Service that the Gateway stands for. */
  readonly service: Service | undefined;
  readonly slices: readonly EndpointSlice[];
  readonly clusterDomain: string;
}

export interface WantedListener {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly never[];
  readonly conditions: readonly ConditionContent[];
}

export interface GatewayStatus {
  readonly addresses: readonly GatewayAddressValue[];
  readonly conditions: readonly ConditionContent[];
  readonly listeners: readonly WantedListener[];
}

const HBONE_PORT = 15008;

type Judgement = Pick<ConditionContent, "status" | "reason" | "message">;

export function decideGatewayStatus(facts: GatewayFacts): GatewayStatus {
  const { gateway } = facts;
  const observedGeneration = gateway.metadata?.generation ?? 0;
  const listeners = gateway.spec?.listeners ?? [];
  const reached = reachability(facts);
  const condition = (type: string, judgement: Judgement): ConditionContent => ({
    type,
    ...judgement,
    observedGeneration,
  });
  return {
    // Once there, an address stays: clients that hold it are served again as soon as a pod is.
    addresses: reached.addresses.length > 0 ? reached.addresses : (gateway.status?.addresses ?? []),
    conditions: [
      condition("Accepted", acceptance(facts)),
      condition("Programmed", facts.refusal === undefined ? reached.programmed : notRendered(facts.refusal)),
      condition("ResolvedRefs", {
        status: "True",
        reason: "ResolvedRefs",
        message: "All references resolved",
      }),
    ],
    listeners: listeners.map((listener) => ({
      name: listener.name,
      attachedRoutes: 0,
      supportedKinds: [],
      conditions: listenerConditions(listener).map(([type, judgement]) => condition(type, judgement)),
    })),
  };
}

/** The hostname by which a Gateway is found, whoever deploys it. Undefined when its addresses name none. */
export function gatewayHostname(gateway: Gateway, clusterDomain: string): string | undefined {
  const namespace = gateway.metadata?.namespace ?? "";
  const full = (name: string): string => `${name}.${namespace}.svc.${clusterDomain}`;
  if (isManaged(gateway)) return full(generatedName(gateway));
  const hostname = gateway.spec?.addresses?.find(({ type }) => type === "Hostname")?.value;
  if (hostname === undefined || hostname === "") return undefined;
  return hostname.includes(".") ? hostname : full(hostname);
}

function acceptance({ gateway, parameters }: GatewayFacts): Judgement {
  const { metadata, spec } = gateway;
  if (parameters.kind === "unsupported" || parameters.kind === "missing") {
    const message = describeParameters(parameters, gateway);
    return { status: "False", reason: "InvalidParameters", message };
  }
  if (!isManaged(gateway) && gatewayHostname(gateway, "") === undefined) {
    const values = (spec?.addresses ?? []).map(({ value = "" }) => value).join(", ");
    const message = `Only Hostname is supported, ignoring ${values}`;
    return { status: "False", reason: "UnsupportedAddress", message };
  }
  const invalid = (spec?.listeners ?? []).filter((listener) => !isHbone(listener)).map(({ name }) => name);
  if (invalid.length === 0) return { status: "True", reason: "Accepted", message: "Resource accepted" };
  const reason = "ListenersNotValid";
  if (invalid.length === spec?.listeners.length)
    return { status: "False", reason, message: "None of the Gateway's listeners are valid" };
  const message = `Some listeners of Gateway ${metadata?.namespace}/${metadata?.name} are not valid: ${invalid.join(", ")}`;
  return { status: "True", reason, message };
}

function isHbone({ port, protocol }: GatewayListener): boolean {
  return port === HBONE_PORT && protocol === "HBONE";
}

const NO_ERRORS = "No errors found";

function listenerConditions(listener: GatewayListener): readonly (readonly [string, Judgement])[] {
  const good = (type: string): readonly [string, Judgement] => [
    type,
    { status: "True", reason: type, message: NO_ERRORS },
  ];
  const noConflict: readonly [string, Judgement] = [
    "Conflicted",
    { status: "False", reason: "NoConflicts", message: NO_ERRORS },
  ];
  if (isHbone(listener)) return [good("Accepted"), good("Programmed"), noConflict, good("ResolvedRefs")];
  const message = `Expected a single listener on port ${HBONE_PORT} with protocol "HBONE"`;
  return [
    ["Accepted", { status: "False", reason: "UnsupportedProtocol", message }],
    ["Programmed", { status: "False", reason: "Invalid", message }],
    noConflict,
    good("ResolvedRefs"),
  ];
}

function notRendered(problem: string): Judgement {
  return { status: "False", reason: "Invalid", message: `Not deployed: ${problem}` };
}

interface Reachability {
  readonly programmed: Judgement;
  /** What clients can use now; empty while there is nothing. */
  readonly addresses: readonly GatewayAddressValue[];
}

function reachability({ gateway, service, slices, clusterDomain }: GatewayFacts): Reachability {
  const hostname = gatewayHostname(gateway, clusterDomain);
  const programmed = (reason: string, message: string): Reachability => ({
    programmed: { status: "False", reason, message },
    addresses: [],
  });
  if (hostname === undefined)
    return programmed("AddressNotUsable", "Failed to assign to any requested addresses");
  const failed = (reason: string, why: string): Reachability =>
    programmed(reason, `Failed to assign to any requested addresses: ${why}`);
  if (service === undefined) {
    // One that is to be deployed comes by itself; one of somebody else's is a mistake in the address.
    const reason = isManaged(gateway) ? "AddressNotAssigned" : "AddressNotUsable";
    return failed(reason, `hostname "${hostname}" not found`);
  }
  const ports = [...new Set((gateway.spec?.listeners ?? []).map(({ port }) => port))].sort((a, b) => a - b);
  const served = new Set(service.spec?.ports?.map(({ port }) => port));
  const absent = ports.filter((port) => !served.has(port));
  if (absent.length > 0)
    return failed(
      "AddressNotUsable",
      absent.map((port) => `port ${port} not found for hostname "${hostname}"`).join("; "),
    );
  if (
    !slices.some(({ endpoints }) => (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false))
  )
    return failed("AddressNotAssigned", `no instances found for hostname "${hostname}"`);
  return assigned(gateway, service, hostname, ports);
}

function assigned(
  gateway: Gateway,
  service: Service,
  hostname: string,
  ports: readonly number[],
): Reachability {
  const places = humanList(ports.map((port) => `${hostname}:${port}`));
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (service.spec?.type === "LoadBalancer" && ingress.length === 0)
    return {
      programmed: {
        status: "False",
        reason: "AddressNotAssigned",
        message: `Assigned to service(s) ${places}, but failed to assign to all requested addresses: address pending for hostname "${hostname}"`,
      },
      addresses: [],
    };
  const { clusterIPs, clusterIP } = service.spec ?? {};
  const internal = (clusterIPs ?? [clusterIP]).filter((ip): ip is string => !!ip && ip !== "None");
  const external = ingress.flatMap(({ ip }) => ip ?? []);
  const all: readonly GatewayAddressValue[] = [
    ...[...(external.length > 0 ? external : internal)].map((value) => ({ type: "IPAddress", value })),
    { type: "Hostname", value: hostname },
  ];
  const asked = annotationOf(gateway, "networking.istio.io/address-type");
  const chosen = all.filter(({ type }) => type === asked);
  return {
    programmed: {
      status: "True",
      reason: "Programmed",
      message: `Resource programmed, assigned to service(s) ${places}`,
    },
    addresses: chosen.length > 0 ? chosen : all,
  };
}

/** `a`, `a and b`, `a, b, and c`. */
function humanList(items: readonly string[]): string {
  if (items.length < 3) return items.join(" and ");
  return `${items.slice(0, -1).join(", ")}, and ${items.at(-1)}`;
}
