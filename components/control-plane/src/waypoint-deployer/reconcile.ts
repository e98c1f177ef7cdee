/** One Gateway brought in line: looks, lets the plan decide, writes objects and status. */

import { type ConfigMap, type Gateway, type Informer, keyOf } from "@meltemi/kubernetes";
import { type Clock, describeError } from "@meltemi/runtime";
import type { MeshWatch } from "../sources/watch-mesh.ts";
import { decideGatewayStatus, gatewayHostname } from "./gateway-status.ts";
import { type ParametersWatch, untilSynced } from "./parameters-watch.ts";
import { askedRevision, type GatewayView, type Parameters, planGateway, tagServiceName } from "./plan.ts";
import type { DeployerSettings } from "./settings.ts";
import { claimGateway, type WriteDependencies, writeObjects } from "./write-objects.ts";
import { writeGatewayStatus } from "./write-status.ts";

export interface ReconcileDependencies extends WriteDependencies {
  readonly clock: Clock;
  readonly settings: DeployerSettings;
  readonly watch: Pick<
    MeshWatch,
    "gateways" | "gatewayClasses" | "namespaces" | "services" | "endpointSlices"
  >;
  readonly classDefaults: Pick<Informer<ConfigMap>, "list" | "synced">;
  readonly parameters: ParametersWatch;
}

/** Rejects when something could not be written: the queue tries again. */
export async function reconcileGateway(
  key: string,
  signal: AbortSignal,
  deps: ReconcileDependencies,
): Promise<void> {
  const { settings, log } = deps;
  const gateway = deps.watch.gateways.get(key);
  if (gateway === undefined) return;
  const view = await viewOf(gateway, signal, deps);
  const plan = planGateway(view, settings);
  if (plan.kind === "foreign") return;
  let failure: unknown;
  if (plan.kind === "deploy") {
    try {
      await claimGateway(gateway, deps, signal);
      await writeObjects(gateway, plan.objects, deps, signal);
    } catch (error) {
      failure = error;
    }
  }
  if (plan.kind === "refused") log.warn("waypoint not deployed", { gateway: key, reason: plan.problem });
  const refusal = plan.kind === "refused" ? plan.problem : failure && describeError(failure);
  await writeStatus(view, refusal === undefined ? undefined : String(refusal), signal, deps);
  if (failure !== undefined) throw failure;
}

async function viewOf(
  gateway: Gateway,
  signal: AbortSignal,
  deps: ReconcileDependencies,
): Promise<GatewayView> {
  const { watch, classDefaults, settings } = deps;
  await untilSynced(classDefaults, signal);
  const className = gateway.spec?.gatewayClassName ?? "";
  const namespace = watch.namespaces.get(gateway.metadata?.namespace ?? "");
  const asked = askedRevision(gateway, namespace);
  return {
    gateway,
    namespace,
    tag: watch.services.get(`${settings.systemNamespace}/${tagServiceName(asked)}`),
    gatewayClass: watch.gatewayClasses.get(className),
    classDefaults: oldest(classDefaults.list().filter((map) => classOf(map) === className)),
    parameters: await parametersOf(gateway, signal, deps),
  };
}

/** The class whose Gateways a ConfigMap of the system namespace is for. */
export function classOf(map: ConfigMap): string | undefined {
  return map.metadata?.labels?.[CLASS_DEFAULTS_LABEL];
}
export const CLASS_DEFAULTS_LABEL = "gateway.istio.io/defaults-for-class";

function oldest(maps: readonly ConfigMap[]): ConfigMap | undefined {
  const age = (map: ConfigMap): string => `${map.metadata?.creationTimestamp ?? ""} ${keyOf(map)}`;
  return [...maps].sort((a, b) => (age(a) < age(b) ? -1 : 1))[0];
}

/** Key of the ConfigMap that a Gateway names; undefined when it names none. */
export function parametersKey(gateway: Gateway): string | undefined {
  const ref = gateway.spec?.infrastructure?.parametersRef;
  if (ref === undefined || ref.group !== "" || ref.kind !== "ConfigMap") return undefined;
  return `${gateway.metadata?.namespace}/${ref.name}`;
}

async function parametersOf(
  gateway: Gateway,
  signal: AbortSignal,
  { parameters }: ReconcileDependencies,
): Promise<Parameters> {
  const ref = gateway.spec?.infrastructure?.parametersRef;
  if (ref === undefined) return { kind: "none" };
  const key = parametersKey(gateway);
  if (key === undefined) return { kind: "unsupported", group: ref.group, refKind: ref.kind };
  const map = await parameters.find(key, signal);
  return map === undefined ? { kind: "missing", name: ref.name } : { kind: "found", map };
}

async function writeStatus(
  { gateway, parameters }: GatewayView,
  refusal: string | undefined,
  signal: AbortSignal,
  deps: ReconcileDependencies,
): Promise<void> {
  const { watch, settings } = deps;
  const { clusterDomain } = settings;
  const service = serviceKey(gatewayHostname(gateway, clusterDomain), clusterDomain);
  const wanted = decideGatewayStatus({
    gateway,
    parameters,
    refusal,
    service: service === undefined ? undefined : watch.services.get(service),
    slices: service === undefined ? [] : watch.endpointSlices.byIndex("service", service),
    clusterDomain,
  });
  await writeGatewayStatus(gateway, wanted, deps, signal);
}

/** `<name>.<namespace>.svc.<domain>` → `namespace/name`; undefined for a name of elsewhere. */
function serviceKey(hostname: string | undefined, clusterDomain: string): string | undefined {
  const suffix = `.svc.${clusterDomain}`;
  if (!hostname?.endsWith(suffix)) return undefined;
  const [name, namespace, more] = hostname.slice(0, -suffix.length).split(".");
  return namespace === undefined || more !== undefined ? undefined : `${namespace}/${name}`;
}
