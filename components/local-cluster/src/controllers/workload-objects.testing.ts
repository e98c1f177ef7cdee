/** Deployments for the tests against the real API server. */

import type { Deployment } from "@meltemi/kubernetes";

export const WAIT = { deadlineMs: 20_000 } as const;

export function podTemplate(app: string, version = "1"): NonNullable<Deployment["spec"]>["template"] {
  return {
    metadata: { labels: { app } },
    spec: {
      containers: [{ name: "main", image: `app:${version}`, ports: [{ name: "http", containerPort: 8080 }] }],
    },
  };
}

export function deployment(namespace: string, name: string, replicas: number): Deployment {
  const selector = { matchLabels: { app: name } };
  return { metadata: { namespace, name }, spec: { replicas, selector, template: podTemplate(name) } };
}

/** Undefined until every pod of the deployment is of its last template and available. */
export function settledOnly(found: Deployment | undefined): Deployment | undefined {
  const { status, spec, metadata } = found ?? {};
  const counts = [status?.updatedReplicas, status?.replicas, status?.availableReplicas];
  const isSettled =
    status?.observedGeneration === metadata?.generation && counts.every((count) => count === spec?.replicas);
  return isSettled ? found : undefined;
}
