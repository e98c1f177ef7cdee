/** The cluster's own components as clients: each known to the API server by a token of its own, made anew with the process. */
import {
  type ClusterAccess,
  createKubernetesClient,
  type KubernetesClient,
  staticToken,
} from "@meltemi/kubernetes";
import type { Clock } from "@meltemi/runtime";
import { createAdminToken } from "../api-server/credentials.ts";
import type { StaticToken } from "../api-server/identity/authenticate.ts";
import type { NodePlan } from "../network/addresses.ts";

export interface Components {
  readonly controllers: StaticToken;
  readonly scheduler: StaticToken;
  readonly kubelets: readonly { readonly plan: NodePlan; readonly identity: StaticToken }[];
}

/** Names and groups are Kubernetes': the default roles are bound to them. */
export function createComponents(nodes: readonly NodePlan[]): Components {
  const token = (username: string, ...groups: readonly string[]): StaticToken => ({
    token: createAdminToken(),
    username,
    groups,
  });
  return {
    controllers: token("system:kube-controller-manager"),
    scheduler: token("system:kube-scheduler"),
    kubelets: nodes.map((plan) => ({ plan, identity: token(`system:node:${plan.name}`, "system:nodes") })),
  };
}

export function tokensOf({ controllers, scheduler, kubelets }: Components): readonly StaticToken[] {
  return [controllers, scheduler, ...kubelets.map(({ identity }) => identity)];
}

/** Clients by component, of one API server; closed together. */
export interface ComponentClients {
  as(component: StaticToken): KubernetesClient;
  close(): void;
}

export function createComponentClients(
  access: ClusterAccess,
  { clock }: { readonly clock: Clock },
): ComponentClients {
  const clients = new Map<string, KubernetesClient>();
  return {
    as({ username, token }) {
      const known = clients.get(username);
      if (known !== undefined) return known;
      const client = createKubernetesClient({ ...access, token: staticToken(token) }, { clock });
      clients.set(username, client);
      return client;
    },
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}
