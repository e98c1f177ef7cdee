/** A container's environment and command line as the Kubernetes API defines them. Pure. */

import type { Container } from "./types.ts";

/** Where values come from. `undefined` means that the object, or the key in it, is not there. */
export interface EnvironmentSources {
  configMap(name: string): ReadonlyMap<string, string> | undefined;
  secret(name: string): ReadonlyMap<string, string> | undefined;
  /** Downward API, e.g. `metadata.name`, `status.podIP`. */
  field(path: string): string | undefined;
  /** `limits.cpu`, in units of `divisor`. */
  resource(container: string, resource: string, divisor: string): string | undefined;
}

export type EnvironmentResult =
  | { readonly kind: "ok"; readonly environment: ReadonlyMap<string, string> }
  /** Reason CreateContainerConfigError of the kubelet: the container waits until it exists. */
  | { readonly kind: "missing"; readonly message: string };

/** `base` comes first and is overridden by everything in the container. */
export function collectEnvironment(
  container: Container,
  base: ReadonlyMap<string, string>,
  sources: EnvironmentSources,
): EnvironmentResult {
  const found = new Map(base);
  for (const from of container.envFrom ?? []) {
    const missing = addAll(found, from, sources);
    if (missing !== undefined) return { kind: "missing", message: missing };
  }
  for (const variable of container.env ?? []) {
    const value: Value =
      variable.valueFrom === undefined
        ? { kind: "ok", value: expand(variable.value ?? "", found) }
        : valueFrom(variable.valueFrom, container.name, sources);
    if (value.kind === "missing") return value;
    if (value.kind === "ok") found.set(variable.name, value.value);
  }
  return { kind: "ok", environment: found };
}

/** Adds every key of an `envFrom` source. Returns what is missing, if something is. */
function addAll(
  found: Map<string, string>,
  from: NonNullable<Container["envFrom"]>[number],
  sources: EnvironmentSources,
): string | undefined {
  const ref = from.configMapRef ?? from.secretRef;
  const kind = from.configMapRef === undefined ? "secret" : "configmap";
  const name = ref?.name ?? "";
  const values = kind === "configmap" ? sources.configMap(name) : sources.secret(name);
  if (values === undefined) return ref?.optional === true ? undefined : `${kind} "${name}" not found`;
  for (const [key, value] of values) found.set(`${from.prefix ?? ""}${key}`, value);
  return undefined;
}

type Value =
  | { readonly kind: "ok"; readonly value: string }
  | { readonly kind: "absent" }
  | { readonly kind: "missing"; readonly message: string };

type ValueFrom = NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>;

function valueFrom(from: ValueFrom, container: string, sources: EnvironmentSources): Value {
  if (from.configMapKeyRef !== undefined) {
    const { name = "", key, optional } = from.configMapKeyRef;
    return fromKey("configmap", name, key, optional === true, sources.configMap(name));
  }
  if (from.secretKeyRef !== undefined) {
    const { name = "", key, optional } = from.secretKeyRef;
    return fromKey("secret", name, key, optional === true, sources.secret(name));
  }
  if (from.fieldRef !== undefined) {
    const value = sources.field(from.fieldRef.fieldPath);
    if (value !== undefined) return { kind: "ok", value };
    return { kind: "missing", message: `field ${from.fieldRef.fieldPath} is not supported` };
  }
  if (from.resourceFieldRef !== undefined) {
    const { containerName, resource, divisor } = from.resourceFieldRef;
    const value = sources.resource(containerName ?? container, resource, divisor ?? "0");
    if (value !== undefined) return { kind: "ok", value };
    return { kind: "missing", message: `resource ${resource} is not supported` };
  }
  return { kind: "absent" };
}

function fromKey(
  kind: string,
  name: string,
  key: string,
  optional: boolean,
  values: ReadonlyMap<string, string> | undefined,
): Value {
  const value = values?.get(key);
  if (value !== undefined) return { kind: "ok", value };
  if (optional) return { kind: "absent" };
  if (values === undefined) return { kind: "missing", message: `${kind} "${name}" not found` };
  return { kind: "missing", message: `couldn't find key ${key} in ${kind} "${name}"` };
}

/**
 * `$(NAME)` becomes the variable's value; `$$` is a dollar sign, so `$$(NAME)` stays `$(NAME)`; what names no variable stays as it is.
 * Source: Kubernetes API reference, EnvVar.value.
 */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\$|\$\(([^)]*)\)/g, (whole, name: string | undefined) => {
    if (name === undefined) return "$";
    return variables.get(name) ?? whole;
  });
}

/** `command` replaces the image's entrypoint and its arguments; `args` replaces the arguments alone. */
export function commandLine(
  container: Container,
  entrypoint: readonly string[],
  environment: ReadonlyMap<string, string>,
): readonly string[] {
  const command = (container.command ?? []).map((word) => expand(word, environment));
  const args = (container.args ?? []).map((word) => expand(word, environment));
  return [...(command.length > 0 ? command : entrypoint), ...args];
}
