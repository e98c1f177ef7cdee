/** Defaults and validation of Services, but for addresses: those are given out by `service-addresses.ts`. */
import { at, childObject, isObject, listAt, setDefault, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { type Cause, duplicate, invalidValue, required, unsupported } from "../refusal.ts";
import { dnsLabel } from "./names.ts";
import { portFaults } from "./validation.ts";

export function defaultService(service: KubeObject): void {
  const spec = childObject(service, "spec");
  setDefault(spec, "type", "ClusterIP");
  setDefault(spec, "sessionAffinity", "None");
  const type = textAt(spec, "type");
  if (type !== "ExternalName") setDefault(spec, "internalTrafficPolicy", "Cluster");
  if (type === "NodePort" || type === "LoadBalancer") setDefault(spec, "externalTrafficPolicy", "Cluster");
  if (type === "LoadBalancer") setDefault(spec, "allocateLoadBalancerNodePorts", true);
  for (const port of listAt(spec, "ports").filter(isObject)) {
    setDefault(port, "protocol", "TCP");
    if (port["targetPort"] === undefined || port["targetPort"] === 0 || port["targetPort"] === "") {
      port["targetPort"] = port["port"] ?? 0;
    }
  }
}

const TYPES = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

export function serviceFaults(service: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const spec = service["spec"];
  const type = textAt(spec, "type") ?? "";
  if (!TYPES.includes(type)) return [unsupported("spec.type", type, TYPES)];
  const headless = textAt(spec, "clusterIP") === "None";
  const causes = portListFaults(service, type !== "ExternalName" && !headless);
  if (type === "ExternalName" && (textAt(spec, "externalName") ?? "") === "")
    causes.push(required("spec.externalName"));
  if (headless && type !== "ClusterIP") {
    causes.push(invalidValue("spec.clusterIPs[0]", "None", `may not be set to 'None' for ${type} services`));
  }
  return [...causes, ...changedAddressFaults(service, previous)];
}

function portListFaults(service: KubeObject, isRequired: boolean): Cause[] {
  const ports = listAt(service, "spec", "ports");
  if (ports.length === 0) return isRequired ? [required("spec.ports")] : [];
  const causes: Cause[] = [];
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of ports.entries()) {
    const field = `spec.ports[${index}]`;
    causes.push(...portFaults(port, "port", field));
    const name = textAt(port, "name") ?? "";
    const fault = name === "" ? undefined : dnsLabel(name);
    if (name === "" && ports.length > 1) causes.push(required(`${field}.name`));
    else if (fault !== undefined) causes.push(invalidValue(`${field}.name`, name, fault));
    else if (name !== "" && names.has(name)) causes.push(duplicate(`${field}.name`, name));
    names.add(name);
    const number = `${textAt(port, "protocol") ?? "TCP"}/${String(at(port, "port") ?? 0)}`;
    if (numbers.has(number)) causes.push(duplicate(field, port));
    numbers.add(number);
  }
  return causes;
}

/** A cluster address is fixed for life, unless the Service becomes or was an ExternalName. */
function changedAddressFaults(service: KubeObject, previous: KubeObject | undefined): Cause[] {
  const before = textAt(previous, "spec", "clusterIP") ?? "";
  const after = textAt(service, "spec", "clusterIP") ?? "";
  if (before === "" || before === after || textAt(service, "spec", "type") === "ExternalName") return [];
  return [invalidValue("spec.clusterIPs[0]", [after], "may not change once set")];
}
