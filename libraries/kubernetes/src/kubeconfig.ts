/** Reading a kubeconfig file (https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/). */

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { MeshError, systemClock } from "@meltemi/runtime";
import { parse } from "yaml";
import { type ClusterAccess, fileToken, staticToken, type TokenSource } from "./access.ts";

export interface KubeconfigOptions {
  /** Default: the file's `current-context`. */
  readonly context?: string | undefined;
  /** Relative paths in the file are relative to its folder. Default: the working directory. */
  readonly folder?: string | undefined;
}

/** A kubeconfig with many clusters is some tens of KiB; larger is a mistake. */
const KUBECONFIG_LIMIT_BYTES = 4 * 1024 * 1024;

/** In one message. */
const MAX_NAMES = 20;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Access of one context. Certificates and keys may be inline or files; a token file is read again when it changes.
 * Throws CONFIG_INVALID naming the faulty entry, UNSUPPORTED for `exec` and `auth-provider` users.
 */
export function loadKubeconfig(text: string, options: KubeconfigOptions = {}): ClusterAccess {
  const config = parseDocument(text);
  const contextName = options.context ?? stringField(config, "current-context", "kubeconfig");
  if (contextName === undefined || contextName === "")
    throw invalid("current-context is not set and no context was named");
  const context = entry(config, "contexts", "context", contextName);
  const clusterName = requiredField(context, "cluster", `context ${contextName}`);
  const cluster = entry(config, "clusters", "cluster", clusterName);
  const userName = stringField(context, "user", `context ${contextName}`);
  const user = userName === undefined || userName === "" ? {} : entry(config, "users", "user", userName);
  const folder = options.folder ?? ".";
  return {
    server: parseServer(requiredField(cluster, "server", `cluster ${clusterName}`)),
    ...clusterTrust(cluster, `cluster ${clusterName}`, folder),
    ...userCredentials(user, `user ${userName ?? ""}`, folder),
    defaultNamespace: stringField(context, "namespace", `context ${contextName}`) || "default",
  };
}

function parseDocument(text: string): Fields {
  if (text.length > KUBECONFIG_LIMIT_BYTES)
    throw invalid(`expected at most ${KUBECONFIG_LIMIT_BYTES} bytes, got ${text.length}`);
  let parsed: unknown;
  try {
    parsed = parse(text);
  } catch (cause) {
    throw invalid("not YAML", cause);
  }
  if (!isFields(parsed)) throw invalid("expected a mapping");
  return parsed;
}

function parseServer(text: string): URL {
  if (!URL.canParse(text)) throw invalid(`server ${JSON.stringify(text)} is not a URL`);
  return new URL(text);
}

function clusterTrust(
  cluster: Fields,
  where: string,
  folder: string,
): Pick<ClusterAccess, "certificateAuthority" | "insecureSkipTlsVerify" | "serverName"> {
  const certificateAuthority = pem(cluster, "certificate-authority", where, folder);
  const insecure = cluster["insecure-skip-tls-verify"] === true;
  const serverName = stringField(cluster, "tls-server-name", where);
  if (stringField(cluster, "proxy-url", where))
    throw new MeshError("UNSUPPORTED", `load kubeconfig: ${where}: proxy-url is not supported`);
  return {
    ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
    ...(insecure ? { insecureSkipTlsVerify: true } : {}),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

function userCredentials(
  user: Fields,
  where: string,
  folder: string,
): Pick<ClusterAccess, "clientCertificate" | "token" | "impersonate"> {
  for (const field of ["exec", "auth-provider", "username"]) {
    if (user[field] !== undefined && user[field] !== null)
      throw new MeshError(
        "UNSUPPORTED",
        `load kubeconfig: ${where}: ${field} credentials are not supported; expected token, tokenFile or a client certificate`,
      );
  }
  const certificate = pem(user, "client-certificate", where, folder);
  const key = pem(user, "client-key", where, folder);
  if ((certificate === undefined) !== (key === undefined))
    throw invalid(`${where}: client-certificate and client-key must come together`);
  const token = userToken(user, where, folder);
  return {
    ...(certificate === undefined || key === undefined ? {} : { clientCertificate: { certificate, key } }),
    ...(token === undefined ? {} : { token }),
    ...impersonation(user, where),
  };
}

/** `as`, `as-groups`, `as-uid`, `as-user-extra`: to ignore them would be to act with more rights than were meant. */
function impersonation(user: Fields, where: string): Pick<ClusterAccess, "impersonate"> {
  const name = stringField(user, "as", where) ?? "";
  const uid = stringField(user, "as-uid", where) ?? "";
  const groups: unknown = user["as-groups"] ?? [];
  if (!areTexts(groups)) throw invalid(`${where}: as-groups is not a list of texts`);
  const extra: unknown = user["as-user-extra"] ?? {};
  if (!isFields(extra) || !Object.values(extra).every(areTexts))
    throw invalid(`${where}: as-user-extra is not a map of lists of texts`);
  if (name !== "")
    return { impersonate: { user: name, groups, uid, extra: extra as Record<string, readonly string[]> } };
  if (uid !== "" || groups.length > 0 || Object.keys(extra).length > 0)
    throw invalid(`${where}: expected as, the user whom as-groups, as-uid or as-user-extra are of`);
  return {};
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function userToken(user: Fields, where: string, folder: string): TokenSource | undefined {
  const path = stringField(user, "tokenFile", where);
  // As kubectl does: the file wins, because it may be newer than the token beside it.
  if (path) {
    const read = (file: string): Promise<string> => readFile(file, "utf8");
    return fileToken(resolve(folder, path), { clock: systemClock, readFile: read });
  }
  const token = stringField(user, "token", where);
  return token ? staticToken(token) : undefined;
}

/** `<name>-data` is base64 of a PEM, `<name>` a path to one; the inline one wins. */
function pem(fields: Fields, name: string, where: string, folder: string): string | undefined {
  const inline = stringField(fields, `${name}-data`, where);
  const path = stringField(fields, name, where);
  if (!inline && !path) return undefined;
  const text = inline
    ? Buffer.from(inline, "base64").toString("utf8")
    : readPem(resolve(folder, path ?? ""), where);
  if (!text.includes("-----BEGIN ")) throw invalid(`${where}: ${name} is not PEM`);
  return text;
}

function readPem(path: string, where: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw invalid(`${where}: cannot read ${path}`, cause);
  }
}

/** Finds `{name, [inner]: {...}}` in the list `config[list]`. */
function entry(config: Fields, list: string, inner: string, name: string): Fields {
  const items: unknown = config[list];
  const found: unknown = Array.isArray(items)
    ? items.find((item: unknown) => isFields(item) && item["name"] === name)
    : undefined;
  const value = isFields(found) ? found[inner] : undefined;
  if (!isFields(value))
    throw invalid(`${list} has no entry named ${JSON.stringify(name)}${knownNames(items)}`);
  return value;
}

function knownNames(items: unknown): string {
  const names = Array.isArray(items)
    ? items.flatMap((item: unknown) =>
        isFields(item) && typeof item["name"] === "string" ? [item["name"]] : [],
      )
    : [];
  return names.length === 0 ? "" : `; there is: ${names.slice(0, MAX_NAMES).join(", ")}`;
}

function requiredField(fields: Fields, name: string, where: string): string {
  const value = stringField(fields, name, where);
  if (value === undefined || value === "") throw invalid(`${where}: ${name} is missing`);
  return value;
}

function stringField(fields: Fields, name: string, where: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(`${where}: ${name}: expected text`);
  return value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(problem: string, cause?: unknown): MeshError {
  return new MeshError("CONFIG_INVALID", `load kubeconfig: ${problem}`, { cause });
}
