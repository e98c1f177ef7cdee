/** Short names for the Kubernetes shapes that the kubelet reads. */

import type { Pod } from "@meltemi/kubernetes";

export type PodSpec = NonNullable<Pod["spec"]>;
export type PodStatus = NonNullable<Pod["status"]>;
export type Container = PodSpec["containers"][number];
export type Probe = NonNullable<Container["livenessProbe"]>;
export type Volume = NonNullable<PodSpec["volumes"]>[number];
export type VolumeMount = NonNullable<Container["volumeMounts"]>[number];
export type ContainerStatus = NonNullable<PodStatus["containerStatuses"]>[number];
export type PodCondition = NonNullable<PodStatus["conditions"]>[number];
