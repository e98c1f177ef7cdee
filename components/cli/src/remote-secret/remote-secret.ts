/** The Secret by which one cluster's control plane reads another (reference: l7-and-cli §3.6). Pure. */

import { MeshError } from "@meltemi/runtime";
import { stringify } from "yaml";

export interface RemoteCluster {
  /** Name of the cluster, as it is in its own installation. */
  readonly name: string;
  readonly server: string;
  /** PEM. */
  readonly certificateAuthority: string | undefined;
  readonly serverName: string | undefined;
  readonly token: string;
}

const NAME = /^[a-z0-9]([a-z0-9.-]{0,230}[a-z0-9])?$/;

/** Throws INPUT_INVALID for a name that cannot be a Secret's. */
export function remoteSecret(
  cluster: RemoteCluster,
  namespace: string,
  secretName: string | undefined,
): object {
  const { name } = cluster;
  if (!NAME.test(name))
    throw new MeshError(
      "INPUT_INVALID",
      `--name ${JSON.stringify(name)}: expected lower-case letters, digits, dots and hyphens`,
    );
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: secretName ?? `istio-remote-secret-${name}`,
      namespace,
      labels: { "istio/multiCluster": "true" },
      annotations: { "networking.istio.io/cluster": name },
    },
    stringData: { [name]: kubeconfigOf(cluster) },
  };
}

function kubeconfigOf({ name, server, certificateAuthority, serverName, token }: RemoteCluster): string {
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server,
          ...(certificateAuthority !== undefined && {
            "certificate-authority-data": Buffer.from(certificateAuthority).toString("base64"),
          }),
          ...(serverName !== undefined && { "tls-server-name": serverName }),
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: name } }],
    "current-context": name,
    users: [{ name, user: { token } }],
    preferences: {},
  });
}
