/** Access from inside a pod: what every pod with a service account finds in its environment and file system. */

import { type Clock, type Environment, MeshError } from "@meltemi/runtime";
import { type ClusterAccess, fileToken } from "./access.ts";

const SERVICE_ACCOUNT_FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

export interface InClusterDependencies {
  readonly env: Environment;
  readonly clock: Clock;
  readonly readFile: (path: string) => Promise<string>;
}

/** Reads KUBERNETES_SERVICE_HOST/PORT and the pod's service account folder; throws CONFIG_INVALID outside a pod. */
export async function loadInCluster(deps: InClusterDependencies): Promise<ClusterAccess> {
  const host = deps.env["KUBERNETES_SERVICE_HOST"];
  const port = deps.env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined || host === "")
    throw new MeshError(
      "CONFIG_INVALID",
      "load in-cluster access: KUBERNETES_SERVICE_HOST is not set; expected to run in a pod",
    );
  const tokenPath = `${SERVICE_ACCOUNT_FOLDER}/token`;
  const token = fileToken(tokenPath, deps);
  const read = async (name: string): Promise<string> => {
    try {
      return await deps.readFile(`${SERVICE_ACCOUNT_FOLDER}/${name}`);
    } catch (cause) {
      throw new MeshError(
        "CONFIG_INVALID",
        `load in-cluster access: cannot read ${SERVICE_ACCOUNT_FOLDER}/${name}; expected a mounted service account`,
        { cause },
      );
    }
  };
  const [certificateAuthority, namespace] = await Promise.all([
    read("ca.crt"),
    read("namespace"),
    read("token"),
  ]);
  return {
    server: new URL(`https://${host.includes(":") ? `[${host}]` : host}:${port}`),
    certificateAuthority,
    token,
    defaultNamespace: namespace.trim(),
  };
}
