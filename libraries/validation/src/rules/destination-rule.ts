/** What Istio refuses of a DestinationRule beyond its schema (reference: l7-and-cli §2.5). Pure. */

import type {
  ClientTlsSpec,
  DestinationRuleSpec,
  LoadBalancerSpec,
  TrafficPolicySpec,
} from "@meltemi/resources";
import { type Findings, shown } from "../findings.ts";
import type { Path } from "../path.ts";
import { isHostPatternOrAddress } from "./hosts.ts";

/** RFC 1123: a subset is part of a cluster's name. */
const LABEL = /^[a-zA-Z0-9]([-a-zA-Z0-9_.]*[a-zA-Z0-9])?$/;
const MAX_LABEL_CHARACTERS = 63;

export function checkDestinationRule(value: unknown, path: Path, findings: Findings): void {
  const { host, trafficPolicy, subsets = [] } = value as DestinationRuleSpec;
  if (!isHostPatternOrAddress(host))
    findings.error([...path, "host"], `expected a host name, *, or *.<domain>, got ${shown(host)}`);
  checkTrafficPolicy(trafficPolicy, [...path, "trafficPolicy"], findings);
  for (const [index, subset] of subsets.entries()) {
    const at = [...path, "subsets", index];
    const { name } = subset;
    if (name.length > MAX_LABEL_CHARACTERS || !LABEL.test(name))
      findings.error(
        [...at, "name"],
        `expected a name of 1 to 63 letters, digits, - _ or ., got ${shown(name)}`,
      );
    checkTrafficPolicy(subset.trafficPolicy, [...at, "trafficPolicy"], findings);
  }
}

function checkTrafficPolicy(policy: TrafficPolicySpec | undefined, path: Path, findings: Findings): void {
  if (policy === undefined) return;
  checkTls(policy.tls, [...path, "tls"], findings);
  checkLoadBalancer(policy.loadBalancer, [...path, "loadBalancer"], findings);
  const ports = new Set<number>();
  for (const [index, setting] of (policy.portLevelSettings ?? []).entries()) {
    const at = [...path, "portLevelSettings", index];
    const number = setting.port?.number ?? 0;
    if (number === 0) findings.error([...at, "port", "number"], "expected a port from 1 to 65535");
    else if (ports.has(number))
      findings.error([...at, "port", "number"], `expected each port once, got ${number} again`);
    ports.add(number);
    checkTls(setting.tls, [...at, "tls"], findings);
    checkLoadBalancer(setting.loadBalancer, [...at, "loadBalancer"], findings);
  }
}

const FILES = ["clientCertificate", "privateKey", "caCertificates"] as const;

function checkTls(tls: ClientTlsSpec | undefined, path: Path, findings: Findings): void {
  if (tls === undefined) return;
  const { mode, credentialName } = tls;
  const files = FILES.filter((name) => (tls[name] ?? "") !== "");
  if ((credentialName ?? "") !== "" && files.length > 0)
    findings.error(path, `expected credentialName or files, got credentialName and ${files.join(", ")}`);
  if (mode === "ISTIO_MUTUAL")
    for (const name of [...files, ...((credentialName ?? "") === "" ? [] : ["credentialName"])])
      findings.error(
        [...path, name],
        "expected none with mode ISTIO_MUTUAL: the mesh's own certificate is used",
      );
  if (mode === "MUTUAL" && (credentialName ?? "") === "")
    for (const name of ["clientCertificate", "privateKey"] as const)
      if ((tls[name] ?? "") === "")
        findings.error([...path, name], "expected a value with mode MUTUAL, or credentialName");
}

function checkLoadBalancer(balancer: LoadBalancerSpec | undefined, path: Path, findings: Findings): void {
  const { distribute = [], failover = [], failoverPriority = [] } = balancer?.localityLbSetting ?? {};
  const at = [...path, "localityLbSetting"];
  if (distribute.length > 0 && failover.length + failoverPriority.length > 0)
    findings.error(at, "expected distribute, or failover and failoverPriority, got both");
  for (const [index, { to = {} }] of distribute.entries()) {
    const total = Object.values(to).reduce((sum, weight) => sum + weight, 0);
    if (total !== 100)
      findings.error([...at, "distribute", index, "to"], `expected weights with a sum of 100, got ${total}`);
  }
  for (const [index, { from, to }] of failover.entries())
    if (from === to)
      findings.error([...at, "failover", index, "to"], `expected another region than from, got ${shown(to)}`);
}
