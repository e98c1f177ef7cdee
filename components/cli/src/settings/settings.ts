/**
 * Where a global flag's value comes from: the command line, else the environment (`ISTIOCTL_<FLAG>`), else `~/.istioctl/config.yaml`
 * (or the file of ISTIOCONFIG), else its default (reference: l7-and-cli §3.0). Pure.
 */

import { type Environment, MeshError } from "@meltemi/runtime";
import { suggestion } from "@meltemi/validation";
import { parse } from "yaml";
import { isJson, type Json, textAt } from "../output/json.ts";

export interface GlobalFlag {
  /** As it is written, without hyphens in front. */
  readonly name: string;
  readonly about: string;
  readonly placeholder: string;
  readonly letter?: string;
  readonly preset?: string;
  /** It may be given more than once. */
  readonly isList?: true;
}

export const GLOBAL_FLAGS: readonly GlobalFlag[] = [
  { name: "kubeconfig", letter: "c", placeholder: "file", about: "kubeconfig file" },
  { name: "context", placeholder: "name", about: "context of the kubeconfig" },
  {
    name: "namespace",
    letter: "n",
    placeholder: "name",
    about: "namespace; otherwise that of the kubeconfig's context",
  },
  {
    name: "istioNamespace",
    letter: "i",
    placeholder: "name",
    about: "namespace of the control plane",
    preset: "istio-system",
  },
  { name: "as", placeholder: "user", about: "act as this user; the API server asks whether you may" },
  {
    name: "as-group",
    placeholder: "group",
    about: "act as a member of this group (repeatable; with --as)",
    isList: true,
  },
  { name: "as-uid", placeholder: "uid", about: "act as the user of this uid (with --as)" },
  {
    name: "kubeclient-timeout",
    placeholder: "duration",
    about: "how long one call to the API server may take",
    preset: "30s",
  },
];

export interface Setting {
  readonly flag: string;
  readonly value: string;
  /** `default`, `$ISTIOCTL_NAMESPACE`, the path of the file. */
  readonly from: string;
}

export interface ConfigFile {
  readonly path: string;
  readonly values: Json;
}

/** A file of a dozen lines; this bounds what is read of a wrong one. */
export const MAX_CONFIG_CHARACTERS: number = 64 * 1024;

export function environmentName({ name }: GlobalFlag): string {
  return `ISTIOCTL_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** Throws CONFIG_INVALID for what is no map of flags. */
export function readConfigFile(path: string, text: string): ConfigFile {
  let values: unknown;
  try {
    values = parse(text) ?? {};
  } catch (cause) {
    throw new MeshError("CONFIG_INVALID", `read ${path}: expected YAML`, { cause });
  }
  if (!isJson(values))
    throw new MeshError(
      "CONFIG_INVALID",
      `read ${path}: expected a map of flags, such as "istioNamespace: mesh"`,
    );
  const known = GLOBAL_FLAGS.map(({ name }) => name);
  for (const key of Object.keys(values))
    if (!known.includes(key) && !ISTIO_ONLY.has(key))
      throw new MeshError(
        "CONFIG_INVALID",
        `read ${path}: ${key} is no global flag${suggestion(key, known)}`,
      );
  return { path, values };
}

/** Istio's, about control planes outside the cluster: a file that has them is no mistake. */
const ISTIO_ONLY = new Set([
  "authority",
  "cert-dir",
  "insecure",
  "plaintext",
  "prefer-experimental",
  "xds-address",
  "xds-port",
]);

/** Of a flag that the command line does not have; undefined: nobody has said anything. */
export function settingOf(
  flag: GlobalFlag,
  env: Environment,
  file: ConfigFile | undefined,
): Setting | undefined {
  const variable = environmentName(flag);
  const named = env[variable];
  if (named !== undefined && named !== "") return { flag: flag.name, value: named, from: `$${variable}` };
  const value = textAt(file?.values, flag.name);
  if (file !== undefined && value !== "") return { flag: flag.name, value, from: file.path };
  return undefined;
}

export function allSettings(env: Environment, file: ConfigFile | undefined): readonly Setting[] {
  return GLOBAL_FLAGS.map(
    (flag) => settingOf(flag, env, file) ?? { flag: flag.name, value: flag.preset ?? "", from: "default" },
  );
}
