/** The account by which another cluster reads this one: made when it is missing, with no right to write anything. */

import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  type KubernetesClient,
  NAMESPACES,
  SERVICE_ACCOUNTS,
} from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

/** What a control plane watches in a cluster that is not its own. */
const RULES = [
  {
    apiGroups: [""],
    resources: ["endpoints", "pods", "services", "nodes", "replicationcontrollers", "namespaces"],
    verbs: ["get", "list", "watch"],
  },
  { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["get", "list", "watch"] },
  { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["get", "list", "watch"] },
  {
    apiGroups: ["networking.istio.io", "security.istio.io", "gateway.networking.k8s.io"],
    resources: ["*"],
    verbs: ["get", "list", "watch"],
  },
];

const FIELD_MANAGER = "istioctl";

export interface ReaderAccount {
  readonly name: string;
  readonly namespace: string;
  /** Make what is missing. */
  readonly create: boolean;
}

/** A year: clusters that trust each other do so for long, and the API server may give less. */
const TOKEN_SECONDS = 365 * 24 * 3600;

/** A token of the account. Throws NOT_FOUND when there is none and none may be made. */
export async function readerToken(
  client: KubernetesClient,
  account: ReaderAccount,
  signal: AbortSignal,
): Promise<{ readonly token: string; readonly expiresAtMs: number }> {
  const { name, namespace } = account;
  if (account.create) await ensureAccount(client, account, signal);
  else if ((await client.get(SERVICE_ACCOUNTS, { name, namespace }, { signal })) === undefined)
    throw new MeshError(
      "NOT_FOUND",
      `service account ${namespace}/${name} not found; --create-service-account makes it`,
    );
  return client.createToken({ name, namespace }, { expirationSeconds: TOKEN_SECONDS, signal });
}

async function ensureAccount(
  client: KubernetesClient,
  { name, namespace }: ReaderAccount,
  signal: AbortSignal,
): Promise<void> {
  const options = { fieldManager: FIELD_MANAGER, signal };
  if ((await client.get(NAMESPACES, { name: namespace }, { signal })) === undefined)
    await client.apply(NAMESPACES, { metadata: { name: namespace } }, options);
  const role = `${name}-${namespace}`;
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: role };
  await client.apply(SERVICE_ACCOUNTS, { metadata: { name, namespace } }, options);
  await client.apply(CLUSTER_ROLES, { metadata: { name: role }, rules: RULES }, options);
  await client.apply(
    CLUSTER_ROLE_BINDINGS,
    { metadata: { name: role }, roleRef, subjects: [{ kind: "ServiceAccount", name, namespace }] },
    options,
  );
}
