/** The cluster's secrets: made once, kept in its folder for root alone. */

import {
  apiServerNames,
  createAdminToken,
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
  kubeconfigText,
} from "../api-server/credentials.ts";
import { FABRIC } from "../network/addresses.ts";
import {
  type ClusterDescription,
  type ClusterFolder,
  readJsonFile,
  writeJsonFile,
  writePrivateFile,
} from "./state.ts";

export interface ClusterCredentials {
  readonly caPem: string;
  readonly serverKeyPem: string;
  readonly serverCertPem: string;
  readonly serviceAccountKeyPem: string;
  readonly adminToken: string;
}

const NAMES = ["caPem", "serverKeyPem", "serverCertPem", "serviceAccountKeyPem", "adminToken"] as const;

/** Reads the credentials, or makes them for a new cluster. */
export async function ensureCredentials(
  folder: ClusterFolder,
  description: ClusterDescription,
  nowMs: number,
): Promise<ClusterCredentials> {
  const stored = await readJsonFile(folder.credentials);
  if (stored !== undefined && NAMES.every((name) => typeof stored[name] === "string"))
    return stored as unknown as ClusterCredentials;
  const authorityName = `${description.name}-ca`;
  const authority = createClusterAuthority(authorityName, nowMs);
  const server = issueCertificate(
    authority,
    authorityName,
    {
      commonName: "kube-apiserver",
      subjectAlternativeNames: apiServerNames([FABRIC.v4, FABRIC.v6]),
      use: "server",
    },
    nowMs,
  );
  const credentials: ClusterCredentials = {
    caPem: authority.certPem,
    serverKeyPem: server.keyPem,
    serverCertPem: server.certPem,
    serviceAccountKeyPem: createServiceAccountKey(),
    adminToken: createAdminToken(),
  };
  await writeJsonFile(folder.credentials, credentials);
  return credentials;
}

export async function writeKubeconfig(
  folder: ClusterFolder,
  description: ClusterDescription,
  credentials: ClusterCredentials,
): Promise<void> {
  const text = kubeconfigText({
    clusterName: description.name,
    server: `https://127.0.0.1:${description.apiPort}`,
    caPem: credentials.caPem,
    user: { kind: "token", token: credentials.adminToken },
  });
  await writePrivateFile(folder.kubeconfig, text);
}
