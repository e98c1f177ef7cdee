/** The control plane, as chart istiod (object names and ports: reference l7-and-cli §6.3). Pure. */

import { stringify } from "yaml";
import { autoscales, fewestReplicas, istiodLabels, istiodName, istiodSelector } from "./istiod-names.ts";
import { renderDeployment } from "./istiod-pod.ts";
import { renderRights } from "./istiod-rights.ts";
import { addressOf, controlPlaneServices, remoteServices } from "./istiod-services.ts";
import {
  type ChartContext,
  filled,
  flag,
  type Labels,
  type Manifest,
  networkPolicy,
  revisionOf,
  revisionSuffix,
  scopeOf,
  serviceAccount,
  tcp,
  text,
  texts,
} from "./objects.ts";
import { isTree, overlay, type Tree, treeAt, valueAt } from "./tree.ts";
import { validator } from "./webhook.ts";

export function renderIstiod(context: ChartContext): readonly Manifest[] {
  const { values } = context;
  const labels = istiodLabels(values);
  const scope = scopeOf(values);
  const isRemote = flag(values, "istiodRemote.enabled");
  const objects: Manifest[] = [...renderRights(context, labels)];
  if (scope.namespace && flag(values, "configMap")) objects.push(meshConfigMap(context, labels));
  if (scope.namespace && isRemote) objects.push(...remoteServices(context, labels, addressOf(values)));
  if (isRemote) return objects;
  if (scope.namespace) objects.push(...renderNamespaced(context, labels));
  if (scope.cluster && flag(values, "global.configValidation"))
    objects.push(
      validator(values, {
        name: `istio-validator${revisionSuffix(values)}-${context.namespace}`,
        labels,
        revision: revisionOf(values),
        webhook: "rev.validation.istio.io",
        service: { name: istiodName(values), namespace: context.namespace },
        objects: { key: "istio.io/rev", operator: "In", values: [revisionOf(values)] },
      }),
    );
  return objects;
}

function renderNamespaced(context: ChartContext, labels: Labels): readonly Manifest[] {
  const { values, namespace } = context;
  const name = istiodName(values);
  const objects: Manifest[] = [
    serviceAccount(name, namespace, labels, values, "global.imagePullSecrets"),
    ...gatewayClassMaps(context, labels),
    ...controlPlaneServices(context, labels),
    renderDeployment(context, labels),
  ];
  const extraRoots = text(values, "jwksResolverExtraRootCA");
  if (extraRoots !== "")
    objects.push({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: `pilot-jwks-extra-cacerts${revisionSuffix(values)}`, namespace, labels },
      data: { "extra.pem": extraRoots },
    });
  if (autoscales(context)) objects.push(autoscaler(context, labels));
  const isBudgeted = flag(values, "global.defaultPodDisruptionBudget.enabled") && fewestReplicas(values) > 1;
  if (isBudgeted && context.facts.served.has("policy/v1")) objects.push(disruptionBudget(context, labels));
  if (flag(values, "global.networkPolicy.enabled"))
    objects.push(
      networkPolicy({
        name,
        namespace,
        labels,
        pods: istiodSelector(values),
        ports: tcp(15017, 15012, 8080, 15014),
      }),
    );
  return objects;
}

/** MeshConfig as the control plane reads it from ConfigMap `istio`. */
function meshConfigMap({ values, namespace }: ChartContext, labels: Labels): Manifest {
  const derived = {
    rootNamespace: text(values, "global.istioNamespace"),
    defaultConfig: {
      discoveryAddress: `${istiodName(values)}.${namespace}.svc:15012`,
      ...filled("meshId", text(values, "global.meshID")),
      tracing: { sampling: Number(text(values, "traceSampling")) },
    },
  };
  const mesh = overlay(derived, treeAt(values, "meshConfig"));
  const networks = treeAt(values, "global.meshNetworks");
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `istio${revisionSuffix(values)}`, namespace, labels },
    data: { mesh: textOf(mesh), meshNetworks: textOf({ networks }) },
  };
}

/** YAML as helm writes it, without an end of line at the end. */
function textOf(value: unknown): string {
  return stringify(value, { aliasDuplicateObjects: false, sortMapEntries: true }).trimEnd();
}

/** One ConfigMap for each class that has overlays; the control plane finds it by its label. */
function gatewayClassMaps({ values, namespace }: ChartContext, labels: Labels): readonly Manifest[] {
  const classes = overlay(pulledClasses(treeAt(values, "global")), treeAt(values, "gatewayClasses"));
  return Object.entries(classes).map(([className, overlays]) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: `istio-${revisionOf(values)}-gatewayclass-${className}`,
      namespace,
      labels: { ...labels, "gateway.istio.io/defaults-for-class": className },
    },
    data: Object.fromEntries(
      Object.entries(isTree(overlays) ? overlays : {}).map(([part, tree]) => [part, textOf(tree)]),
    ),
  }));
}

/** How waypoints' images are pulled, as overlays of their class: what a user's overlays say wins. */
function pulledClasses(global: Tree): Tree {
  const policy = text(global, "imagePullPolicy");
  const spec = {
    ...filled(
      "imagePullSecrets",
      texts(global, "imagePullSecrets").map((name) => ({ name })),
    ),
    ...(policy !== "" && { containers: [{ name: "istio-proxy", imagePullPolicy: policy }] }),
  };
  if (Object.keys(spec).length === 0) return {};
  return { "istio-waypoint": { deployment: { spec: { template: { spec } } } } };
}

function autoscaler({ values, namespace }: ChartContext, labels: Labels): Manifest {
  const name = istiodName(values);
  const metrics = ["cpu", "memory"].flatMap((resource) => {
    const averageUtilization = valueAt(values, `${resource}.targetAverageUtilization`);
    if (averageUtilization === undefined) return [];
    return [
      { type: "Resource", resource: { name: resource, target: { type: "Utilization", averageUtilization } } },
    ];
  });
  const minReplicas = fewestReplicas(values);
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace, labels },
    spec: {
      minReplicas,
      maxReplicas: Math.max(Number(text(values, "autoscaleMax")), minReplicas),
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      metrics,
      ...filled("behavior", treeAt(values, "autoscaleBehavior")),
    },
  };
}

/** With one replica it would only stop nodes from being drained. */
function disruptionBudget({ values, namespace }: ChartContext, labels: Labels): Manifest {
  const { minAvailable, maxUnavailable } = treeAt(values, "pdb");
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: istiodName(values), namespace, labels },
    spec: {
      ...(maxUnavailable === undefined ? { minAvailable } : { maxUnavailable }),
      ...filled("unhealthyPodEvictionPolicy", text(values, "pdb.unhealthyPodEvictionPolicy")),
      selector: { matchLabels: istiodSelector(values) },
    },
  };
}
