/** Who is who in the cluster: one certificate authority, keys of service accounts, and a token for every component. */

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runProgram } from "./run-program.ts";

/** A user that the API server knows by a token. */
export interface Account {
  readonly user: string;
  readonly groups: readonly string[];
}

export const ADMIN: Account = { user: "admin", groups: ["system:masters"] };

/** File names in the folder of credentials. */
export const FILES = {
  caCert: "ca.crt",
  caKey: "ca.key",
  serverCert: "apiserver.crt",
  serverKey: "apiserver.key",
  kubeletClientCert: "kubelet-client.crt",
  kubeletClientKey: "kubelet-client.key",
  serviceAccountKey: "sa.key",
  serviceAccountPublicKey: "sa.pub",
  tokens: "tokens.csv",
} as const;

/** The cluster lives for hours; a year outlives anyone's `up`. */
const VALID_DAYS = "365";

/** Makes what is missing in `folder`; a cluster that starts again keeps its keys. `names`: what the API server is called by its clients. */
export async function makeCredentials(
  folder: string,
  names: { readonly dns: readonly string[]; readonly ips: readonly string[] },
  accounts: readonly Account[],
): Promise<void> {
  if (existsSync(join(folder, FILES.tokens))) return;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", VALID_DAYS];
  const openssl = (...words: string[]): Promise<string> => runProgram("openssl", words, { cwd: folder });
  const subjects = ["-subj", "/CN=kubernetes-ca", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  await openssl("req", "-x509", ...key, "-keyout", FILES.caKey, "-out", FILES.caCert, ...subjects);
  const issue = async (cert: string, keyFile: string, subject: string, ...more: string[]): Promise<void> => {
    const by = ["-CA", FILES.caCert, "-CAkey", FILES.caKey, "-subj", subject];
    const extensions = ["basicConstraints=critical,CA:FALSE", ...more].flatMap((text) => ["-addext", text]);
    await openssl("req", "-x509", ...key, ...by, "-keyout", keyFile, "-out", cert, ...extensions);
  };
  const alternatives = [...names.dns.map((name) => `DNS:${name}`), ...names.ips.map((ip) => `IP:${ip}`)];
  const serverNames = `subjectAltName=${alternatives.join(",")}`;
  await issue(FILES.serverCert, FILES.serverKey, "/CN=kube-apiserver", serverNames);
  await issue(FILES.kubeletClientCert, FILES.kubeletClientKey, "/O=system:masters/CN=kube-apiserver");
  await openssl("genrsa", "-out", FILES.serviceAccountKey, "2048");
  await openssl(...["rsa", "-in", FILES.serviceAccountKey, "-pubout", "-out", FILES.serviceAccountPublicKey]);
  const lines = accounts.map(({ user, groups }) => {
    const token = randomBytes(24).toString("hex");
    return `${token},${user},${user},"${groups.join(",")}"\n`;
  });
  await writeFile(join(folder, FILES.tokens), lines.join(""), { mode: 0o600 });
}

/** Throws when nobody of that name has a token. */
export async function readToken(folder: string, { user }: Account): Promise<string> {
  const lines = (await readFile(join(folder, FILES.tokens), "utf8")).split("\n");
  const token = lines.map((line) => line.split(",")).find((fields) => fields[1] === user)?.[0];
  if (token === undefined) throw new Error(`${folder}/${FILES.tokens}: expected a token of ${user}`);
  return token;
}

/** A kubeconfig with everything in it. */
export async function renderKubeconfig(folder: string, account: Account, url: string): Promise<string> {
  const ca = (await readFile(join(folder, FILES.caCert))).toString("base64");
  const name = "meltemi-kubernetes";
  return `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server: url, "certificate-authority-data": ca } }],
      users: [{ name: account.user, user: { token: await readToken(folder, account) } }],
      contexts: [{ name, context: { cluster: name, user: account.user } }],
      "current-context": name,
    },
    undefined,
    2,
  )}\n`;
}
