/** What in a cluster concerns which Gateway: a change is a touch of every Gateway that may have to be looked at again. */

import {
  type ConfigMap,
  createInformer,
  DEPLOYMENTS,
  type Gateway,
  HORIZONTAL_POD_AUTOSCALERS,
  type Informer,
  type InformerDependencies,
  type KubernetesClient,
  type KubernetesObject,
  keyOf,
  nameOf,
  namespaceOf,
  POD_DISRUPTION_BUDGETS,
  type ResourceType,
  SERVICE_ACCOUNTS,
} from "@meltemi/kubernetes";
import { sameValue } from "../compile/same-value.ts";
import type { MeshWatch } from "../sources/watch-mesh.ts";
import { MANAGED_BY } from "./gateway-class.ts";
import { GATEWAY_NAME_LABEL, MANAGED_LABEL } from "./metadata.ts";
import { askedRevision, TAG_LABEL } from "./plan.ts";
import { classOf } from "./reconcile.ts";

export interface FollowDependencies extends InformerDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch">;
  readonly watch: MeshWatch;
  readonly classDefaults: Informer<ConfigMap>;
  /** By key. */
  readonly touchGateway: (key: string) => void;
  readonly touchClass: (name: string) => void;
  /** The Gateways, or what they name, are other ones. */
  readonly onGateways: () => void;
}

/** Tells of all there is first. Returns how to end it. */
export function followCluster(deps: FollowDependencies): () => void {
  const ends = [...followAsked(deps), ...followMade(deps), ...followReach(deps)];
  return () => {
    for (const end of ends) end();
  };
}

export function touchWhere(
  { watch, touchGateway }: Pick<FollowDependencies, "watch" | "touchGateway">,
  concerns: (gateway: Gateway) => boolean,
): void {
  for (const gateway of watch.gateways.list()) if (concerns(gateway)) touchGateway(keyOf(gateway));
}

/** What is asked for. */
function followAsked(deps: FollowDependencies): readonly (() => void)[] {
  const { watch, classDefaults, touchGateway, touchClass } = deps;
  return [
    on(watch.gateways, (gateway) => {
      deps.onGateways();
      touchGateway(keyOf(gateway));
    }),
    on(watch.gatewayClasses, (gatewayClass) => {
      touchClass(nameOf(gatewayClass));
      touchWhere(deps, ({ spec }) => spec?.gatewayClassName === nameOf(gatewayClass));
    }),
    on(watch.namespaces, (namespace) =>
      touchWhere(deps, (gateway) => namespaceOf(gateway) === nameOf(namespace)),
    ),
    on(classDefaults, (map) => touchWhere(deps, ({ spec }) => spec?.gatewayClassName === classOf(map))),
  ];
}

/** What was made: whoever changes or removes it finds it as it was. */
function followMade(deps: FollowDependencies): readonly (() => void)[] {
  const labelSelector = `${MANAGED_LABEL}=${MANAGED_BY}`;
  const types: readonly ResourceType[] = [
    DEPLOYMENTS,
    SERVICE_ACCOUNTS,
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
  ];
  return types.map((type) => {
    const informer = createInformer(deps.client, type, { labelSelector, whenNotServed: "empty" }, deps);
    const end = on(informer, (object) => touchOwner(object, deps));
    return () => {
      end();
      informer.stop();
    };
  });
}

function touchOwner(object: KubernetesObject, { touchGateway }: FollowDependencies): void {
  const name = object.metadata?.labels?.[GATEWAY_NAME_LABEL];
  if (name !== undefined) touchGateway(`${namespaceOf(object)}/${name}`);
}

/** Whether it can be reached: the Service's addresses, and who is ready behind it. And whose it is: tags of revisions are Services. */
function followReach(deps: FollowDependencies): readonly (() => void)[] {
  const { services, endpointSlices, namespaces } = deps.watch;
  const touchService = (service: KubernetesObject): void => {
    touchOwner(service, deps);
    touchWhere(deps, (gateway) => namesService(gateway, service));
    const tag = service.metadata?.labels?.[TAG_LABEL];
    if (tag !== undefined)
      touchWhere(deps, (gateway) => askedRevision(gateway, namespaces.get(namespaceOf(gateway))) === tag);
  };
  const touchSlice = (slice: KubernetesObject): void => {
    const name = slice.metadata?.labels?.["kubernetes.io/service-name"];
    const service = services.get(`${namespaceOf(slice)}/${name}`);
    if (service !== undefined) touchService(service);
  };
  // A load balancer's address is status, and counts: every change is told.
  const every = <T extends KubernetesObject>(
    informer: Pick<Informer<T>, "onChange">,
    touch: (object: T) => void,
  ): (() => void) =>
    informer.onChange({ add: touch, update: (_before, object) => touch(object), delete: touch });
  return [every(services, touchService), every(endpointSlices, touchSlice)];
}

/** A Gateway whose address is the name of a Service that somebody else deployed. */
function namesService({ spec, metadata }: Gateway, service: KubernetesObject): boolean {
  const name = nameOf(service);
  const namespace = namespaceOf(service);
  return (spec?.addresses ?? []).some(
    ({ type, value = "" }) =>
      type === "Hostname" &&
      (value.startsWith(`${name}.${namespace}.`) || (value === name && metadata?.namespace === namespace)),
  );
}

/** Every object now and from now on; changes of status alone are not told. */
function on<T extends KubernetesObject>(
  informer: Pick<Informer<T>, "onChange">,
  touch: (object: T) => void,
): () => void {
  return informer.onChange({
    add: touch,
    update: (before, object) => {
      if (!sameValue(withoutStatus(before), withoutStatus(object))) touch(object);
    },
    delete: touch,
  });
}

function withoutStatus(object: KubernetesObject): object {
  const {
    status: _status,
    metadata = {},
    ...rest
  } = object as KubernetesObject & {
    readonly status?: unknown;
  };
  const { resourceVersion: _version, managedFields: _fields, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
