/** Defaults, validation and first status of the built-in kinds, as the rows of the catalogue name them. */
import { childObject, setDefault } from "../json.ts";
import { defaultJob, jobFaults } from "./jobs.ts";
import { leaseFaults } from "./leases.ts";
import { dnsLabel, pathSegment, serviceName } from "./names.ts";
import { defaultPod, qualityOfService } from "./pod-defaults.ts";
import type { ResourceRules } from "./resource.ts";
import { defaultSecret } from "./secrets.ts";
import { defaultService, serviceFaults } from "./services.ts";
import {
  configMapFaults,
  endpointSliceFaults,
  namespaceFaults,
  podFaults,
  roleBindingFaults,
  secretFaults,
} from "./validation.ts";
import {
  defaultDaemonSet,
  defaultDeployment,
  defaultReplicaSet,
  defaultStatefulSet,
} from "./workload-defaults.ts";
import { workloadFaults } from "./workload-validation.ts";

export { CUSTOM_RESOURCE_DEFINITION_RULES } from "../custom/definition-rules.ts";

type Rules = Partial<ResourceRules>;

export const NAMESPACE_RULES: Rules = {
  checkName: dnsLabel,
  applyDefaults(namespace) {
    const spec = childObject(namespace, "spec");
    setDefault(spec, "finalizers", ["kubernetes"]);
    childObject(namespace.metadata, "labels")["kubernetes.io/metadata.name"] =
      namespace.metadata["name"] ?? "";
  },
  initialStatus: () => ({ phase: "Active" }),
  validate: namespaceFaults,
};

export const POD_RULES: Rules = {
  applyDefaults: defaultPod,
  validate: podFaults,
  initialStatus: (pod) => ({ phase: "Pending", qosClass: qualityOfService(childObject(pod, "spec")) }),
};

export const SERVICE_RULES: Rules = {
  checkName: serviceName,
  applyDefaults: defaultService,
  validate: serviceFaults,
  initialStatus: () => ({ loadBalancer: {} }),
};

export const CONFIG_MAP_RULES: Rules = { validate: configMapFaults };

export const SECRET_RULES: Rules = {
  applyDefaults: defaultSecret,
  validate: secretFaults,
};

export const DEPLOYMENT_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: defaultDeployment,
  validate: workloadFaults,
  initialStatus: () => ({}),
};

export const REPLICA_SET_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: defaultReplicaSet,
  validate: workloadFaults,
  initialStatus: () => ({ replicas: 0 }),
};

export const DAEMON_SET_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: defaultDaemonSet,
  validate: workloadFaults,
  initialStatus: () => ({
    currentNumberScheduled: 0,
    desiredNumberScheduled: 0,
    numberMisscheduled: 0,
    numberReady: 0,
  }),
};

export const STATEFUL_SET_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: defaultStatefulSet,
  validate: workloadFaults,
  initialStatus: () => ({ availableReplicas: 0, replicas: 0 }),
};

export const JOB_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: defaultJob,
  validate: jobFaults,
  initialStatus: () => ({}),
};

export const ENDPOINT_SLICE_RULES: Rules = { countsGenerations: true, validate: endpointSliceFaults };

export const ROLE_BINDING_RULES: Rules = {
  checkName: pathSegment,
  validate: roleBindingFaults,
  applyDefaults(binding) {
    const subjects = binding["subjects"];
    if (!Array.isArray(subjects)) return;
    for (const subject of subjects) {
      if (typeof subject !== "object" || subject === null || Array.isArray(subject)) continue;
      if (subject["kind"] !== "ServiceAccount") setDefault(subject, "apiGroup", "rbac.authorization.k8s.io");
    }
  },
};

export const LEASE_RULES: Rules = { validate: leaseFaults };

export const AUTOSCALER_RULES: Rules = {
  applyDefaults: (autoscaler) => setDefault(childObject(autoscaler, "spec"), "minReplicas", 1),
};

export const PRIORITY_CLASS_RULES: Rules = {
  countsGenerations: true,
  applyDefaults: (priority) => setDefault(priority, "preemptionPolicy", "PreemptLowerPriority"),
};
