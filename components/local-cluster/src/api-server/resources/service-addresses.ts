/** Cluster addresses and node ports of Services: given out from ranges, never twice. */
import { isIPv4, isIPv6 } from "node:net";
import { childObject, isObject, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { type KubeObject, nameOf, namespaceOf } from "../kube-object.ts";
import { invalid, invalidValue } from "../refusal.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { type AddressRange, addressInRange } from "./address-range.ts";

export interface ServiceRanges {
  readonly ipv4: AddressRange;
  readonly ipv6: AddressRange | undefined;
}

type Family = "IPv4" | "IPv6";

const NODE_PORT_FIRST = 30_000;
const NODE_PORT_LAST = 32_767;

export function admitService(
  ranges: ServiceRanges,
  service: KubeObject,
  previous: KubeObject | undefined,
  store: ObjectStore,
): void {
  const spec = childObject(service, "spec");
  if (textAt(spec, "type") === "ExternalName") {
    for (const key of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) delete spec[key];
    return;
  }
  const before = isObject(previous?.["spec"]) ? previous["spec"] : {};
  keepAddresses(spec, before);
  const families = chooseFamilies(service, spec, ranges);
  spec["ipFamilies"] = [...families];
  giveAddresses(service, spec, families, ranges, store, before);
  giveNodePorts(service, spec, before, store);
}

/** An update that leaves the addresses out means the ones that the Service has. */
function keepAddresses(spec: JsonObject, before: JsonObject): void {
  for (const key of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
    const had = before[key];
    const now = spec[key];
    if (had !== undefined && (now === undefined || now === "" || (Array.isArray(now) && now.length === 0)))
      spec[key] = had;
  }
}

function chooseFamilies(service: KubeObject, spec: JsonObject, ranges: ServiceRanges): Family[] {
  const policy = textAt(spec, "ipFamilyPolicy") ?? "SingleStack";
  spec["ipFamilyPolicy"] = policy;
  const given = [textAt(spec, "clusterIP") ?? "", ...listAt(spec, "clusterIPs").map(String)];
  const implied = given
    .map((address) => (isIPv4(address) ? "IPv4" : isIPv6(address) ? "IPv6" : ""))
    .filter((family) => family !== "");
  const asked = listAt(spec, "ipFamilies").filter(
    (family): family is Family => family === "IPv4" || family === "IPv6",
  );
  const [first = (implied[0] as Family | undefined) ?? "IPv4"] = asked;
  const second: Family = first === "IPv4" ? "IPv6" : "IPv4";
  const wantsBoth = policy === "PreferDualStack" || policy === "RequireDualStack" || asked.length > 1;
  if (ranges.ipv6 === undefined && (first === "IPv6" || policy === "RequireDualStack")) {
    const causes = [invalidValue("spec.ipFamilies", asked, "not configured on this cluster")];
    throw invalid("", "Service", nameOf(service), causes);
  }
  return wantsBoth && ranges.ipv6 !== undefined ? [first, second] : [first];
}

function giveAddresses(
  service: KubeObject,
  spec: JsonObject,
  families: readonly Family[],
  ranges: ServiceRanges,
  store: ObjectStore,
  before: JsonObject,
): void {
  const asked = textAt(spec, "clusterIP") ?? "";
  if (asked === "None") {
    spec["clusterIPs"] = ["None"];
    return;
  }
  const taken = takenAddresses(service, store);
  // A client of old changes the one field and leaves the list as it was.
  const isListOld = asked !== "" && asked !== textAt(before, "clusterIP");
  const given = isListOld ? [asked] : listAt(spec, "clusterIPs").map(String);
  const addresses = families.map((family, index) => {
    const wanted = given[index] ?? (index === 0 ? asked : "");
    const range = family === "IPv4" ? ranges.ipv4 : ranges.ipv6;
    const free = range === undefined ? undefined : addressInRange(range, wanted, taken);
    if (free !== undefined) return free;
    const why =
      wanted === ""
        ? "no free address is left in the cluster's range"
        : taken.has(wanted)
          ? `failed to allocate IP ${wanted}: provided IP is already allocated`
          : `failed to allocate IP ${wanted}: the provided IP is not in the valid range`;
    throw invalid("", "Service", nameOf(service), [invalidValue("spec.clusterIPs", [wanted], why)]);
  });
  spec["clusterIP"] = addresses[0] ?? "";
  spec["clusterIPs"] = addresses;
}

function others(service: KubeObject, store: ObjectStore): readonly KubeObject[] {
  const isSelf = (other: KubeObject): boolean =>
    nameOf(other) === nameOf(service) && namespaceOf(other) === namespaceOf(service);
  return store
    .list("/services")
    .map((stored) => stored.object)
    .filter((other) => !isSelf(other));
}

function takenAddresses(service: KubeObject, store: ObjectStore): ReadonlySet<string> {
  return new Set(others(service, store).flatMap((other) => listAt(other, "spec", "clusterIPs").map(String)));
}

function giveNodePorts(service: KubeObject, spec: JsonObject, before: JsonObject, store: ObjectStore): void {
  const type = textAt(spec, "type");
  const ports = listAt(spec, "ports").filter(isObject);
  if (type !== "NodePort" && !(type === "LoadBalancer" && spec["allocateLoadBalancerNodePorts"] !== false)) {
    if (type === "ClusterIP") for (const port of ports) delete port["nodePort"];
    return;
  }
  const taken = new Set(
    others(service, store).flatMap((other) =>
      listAt(other, "spec", "ports").map((port) => numberAt(port, "nodePort")),
    ),
  );
  const had = new Map(
    listAt(before, "ports").map((port) => [portIdentity(port), numberAt(port, "nodePort")]),
  );
  for (const [index, port] of ports.entries()) {
    const wanted = numberAt(port, "nodePort") || had.get(portIdentity(port)) || 0;
    const free = wanted === 0 ? firstFreePort(taken) : wanted;
    if (free === undefined || taken.has(free) || free < NODE_PORT_FIRST || free > NODE_PORT_LAST) {
      const why = taken.has(free)
        ? "provided port is already allocated"
        : `provided port is not in the valid range. The range of valid ports is ${NODE_PORT_FIRST}-${NODE_PORT_LAST}`;
      throw invalid("", "Service", nameOf(service), [
        invalidValue(`spec.ports[${index}].nodePort`, free ?? null, why),
      ]);
    }
    taken.add(free);
    port["nodePort"] = free;
  }
}

function portIdentity(port: unknown): string {
  const object = isObject(port) ? port : {};
  return `${String(object["protocol"] ?? "TCP")}/${String(object["port"] ?? 0)}`;
}

function firstFreePort(taken: ReadonlySet<number | undefined>): number | undefined {
  for (let port = NODE_PORT_FIRST; port <= NODE_PORT_LAST; port++) if (!taken.has(port)) return port;
  return undefined;
}
