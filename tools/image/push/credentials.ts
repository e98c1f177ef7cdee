/** Credentials of registries, where `docker login` and its helpers keep them. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

interface DockerConfig {
  readonly auths?: Readonly<
    Record<string, { readonly auth?: string; readonly identitytoken?: string } | undefined>
  >;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string | undefined>>;
}

/** A helper that asks somebody waits for an answer that never comes. */
const HELPER_TIMEOUT_MS = 30_000;

/**
 * @param folder `DOCKER_CONFIG`, or `~/.docker`. Undefined when there is no file, or nothing in it for this registry.
 * @throws on a file that is none, and when a helper fails
 */
export async function findCredentials(folder: string, key: string): Promise<Credentials | undefined> {
  const path = join(folder, "config.json");
  const file = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (file === undefined) return undefined;
  const config = JSON.parse(file) as DockerConfig;
  const helper = config.credHelpers?.[key] ?? config.credsStore;
  if (helper !== undefined) return await askHelper(helper, key);
  const { auth, identitytoken = "" } = config.auths?.[key] ?? {};
  if (identitytoken !== "") throw identityToken(`read ${path}`, key);
  return auth === undefined || auth === "" ? undefined : decodeAuth(auth, path);
}

/** What helpers call the user of an identity token. */
const TOKEN_USER = "<token>";

/** OAuth refresh tokens, of some clouds' own logins. */
function identityToken(action: string, key: string): Error {
  return new Error(
    `${action}: expected a name and a password, got an identity token: docker login ${key} with a password or an access token`,
  );
}

function decodeAuth(auth: string, path: string): Credentials {
  const pair = Buffer.from(auth, "base64").toString();
  const colon = pair.indexOf(":");
  // Without the value: it is a secret.
  if (colon < 1) throw new Error(`read ${path}: expected base64 of name:password under auth`);
  return { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

/** The protocol of docker-credential-helpers: the key goes in, JSON comes out. */
async function askHelper(name: string, key: string): Promise<Credentials | undefined> {
  if (!/^[\w.-]+$/.test(name))
    throw new Error(`docker's configuration: expected the name of a credentials helper, got ${name}`);
  const program = `docker-credential-${name}`;
  const child = spawn(program, ["get"], {
    stdio: ["pipe", "pipe", "ignore"],
    signal: AbortSignal.timeout(HELPER_TIMEOUT_MS),
  });
  // A helper that ends early does not read: its exit code says why.
  child.stdin.on("error", () => undefined);
  child.stdin.end(key);
  const [output, [code]] = await Promise.all([
    text(child.stdout),
    once(child, "close") as Promise<[number | null]>,
  ]);
  if (/credentials not found/.test(output)) return undefined;
  if (code !== 0) throw new Error(`${program} get ${key}: ended with ${code}`);
  const answer = JSON.parse(output) as { Username?: unknown; Secret?: unknown };
  if (typeof answer.Username !== "string" || typeof answer.Secret !== "string")
    throw new Error(`${program} get ${key}: expected a Username and a Secret`);
  if (answer.Username === TOKEN_USER) throw identityToken(`${program} get ${key}`, key);
  return { username: answer.Username, password: answer.Secret };
}
