/** Validation of core kinds: what users get wrong, in Kubernetes' words. */
import { at, isObject, type Json, listAt, numberAt, sameJson, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import {
  badRequest,
  type Cause,
  duplicate,
  forbiddenField,
  invalidValue,
  required,
  unsupported,
} from "../refusal.ts";
import { dnsLabel } from "./names.ts";

export function podFaults(pod: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const causes = podSpecFaults(pod["spec"], "spec");
  if (previous !== undefined) causes.push(...podChangeFaults(pod, previous));
  return causes;
}

export function podSpecFaults(spec: Json | undefined, field: string): Cause[] {
  if (!isObject(spec)) return [required(field)];
  const causes: Cause[] = [];
  const containers = listAt(spec, "containers");
  if (containers.length === 0) causes.push(required(`${field}.containers`));
  const volumes = new Set<string>();
  for (const [index, volume] of listAt(spec, "volumes").entries()) {
    causes.push(...nameFaults(volume, volumes, `${field}.volumes[${index}].name`));
  }
  const names = new Set<string>();
  for (const list of ["initContainers", "containers"]) {
    for (const [index, container] of listAt(spec, list).entries()) {
      causes.push(...containerFaults(container, names, volumes, `${field}.${list}[${index}]`));
    }
  }
  const policy = textAt(spec, "restartPolicy") ?? "";
  const policies = ["Always", "OnFailure", "Never"];
  if (!policies.includes(policy)) causes.push(unsupported(`${field}.restartPolicy`, policy, policies));
  return causes;
}

function nameFaults(item: Json, seen: Set<string>, field: string): Cause[] {
  const name = textAt(item, "name") ?? "";
  if (name === "") return [required(field)];
  const fault = dnsLabel(name);
  if (fault !== undefined) return [invalidValue(field, name, fault)];
  if (seen.has(name)) return [duplicate(field, name)];
  seen.add(name);
  return [];
}

function containerFaults(
  container: Json,
  names: Set<string>,
  volumes: ReadonlySet<string>,
  field: string,
): Cause[] {
  const causes = nameFaults(container, names, `${field}.name`);
  if ((textAt(container, "image") ?? "") === "") causes.push(required(`${field}.image`));
  const policy = textAt(container, "imagePullPolicy") ?? "Always";
  const policies = ["Always", "IfNotPresent", "Never"];
  if (!policies.includes(policy)) causes.push(unsupported(`${field}.imagePullPolicy`, policy, policies));
  for (const [index, port] of listAt(container, "ports").entries()) {
    causes.push(...portFaults(port, "containerPort", `${field}.ports[${index}]`));
  }
  for (const [index, variable] of listAt(container, "env").entries()) {
    if ((textAt(variable, "name") ?? "") === "") causes.push(required(`${field}.env[${index}].name`));
  }
  const paths = new Set<string>();
  for (const [index, mount] of listAt(container, "volumeMounts").entries()) {
    causes.push(...mountFaults(mount, volumes, paths, `${field}.volumeMounts[${index}]`));
  }
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    causes.push(...probeFaults(at(container, probe), `${field}.${probe}`));
  }
  return causes;
}

export function portFaults(port: Json, key: string, field: string): Cause[] {
  const causes: Cause[] = [];
  const number = numberAt(port, key);
  if (number === undefined || number === 0) causes.push(required(`${field}.${key}`));
  else if (!isPort(number))
    causes.push(invalidValue(`${field}.${key}`, number, "must be between 1 and 65535, inclusive"));
  const protocol = textAt(port, "protocol") ?? "TCP";
  if (!["SCTP", "TCP", "UDP"].includes(protocol)) {
    causes.push(unsupported(`${field}.protocol`, protocol, ["SCTP", "TCP", "UDP"]));
  }
  return causes;
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= 65535;
}

function mountFaults(mount: Json, volumes: ReadonlySet<string>, paths: Set<string>, field: string): Cause[] {
  const causes: Cause[] = [];
  const name = textAt(mount, "name") ?? "";
  const path = textAt(mount, "mountPath") ?? "";
  if (name === "") causes.push(required(`${field}.name`));
  else if (!volumes.has(name)) {
    causes.push({
      field: `${field}.name`,
      reason: "FieldValueInvalid",
      message: `Not found: ${JSON.stringify(name)}`,
    });
  }
  if (path === "") causes.push(required(`${field}.mountPath`));
  else if (paths.has(path)) causes.push(invalidValue(`${field}.mountPath`, path, "must be unique"));
  paths.add(path);
  return causes;
}

function probeFaults(probe: Json | undefined, field: string): Cause[] {
  if (!isObject(probe)) return [];
  const actions = ["exec", "httpGet", "tcpSocket", "grpc"].filter((key) => probe[key] !== undefined);
  if (actions.length === 0) return [required(field, "must specify a handler type")];
  const [, ...more] = actions;
  return more.map((key) => forbiddenField(`${field}.${key}`, "may not specify more than 1 handler type"));
}

/** Fields of a running pod's spec that may change; everything else is fixed when it is created. */
const CHANGEABLE = [
  "activeDeadlineSeconds",
  "terminationGracePeriodSeconds",
  "tolerations",
  "schedulingGates",
];

function podChangeFaults(pod: KubeObject, previous: KubeObject): Cause[] {
  if (sameJson(fixedSpec(pod["spec"]), fixedSpec(previous["spec"]))) return [];
  const why =
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
  return [forbiddenField("spec", why)];
}

function fixedSpec(spec: Json | undefined): Json {
  if (!isObject(spec)) return {};
  const fixed = Object.entries(spec).filter(([key]) => !CHANGEABLE.includes(key));
  return Object.fromEntries(
    fixed.map(([key, value]): [string, Json] => {
      if ((key !== "containers" && key !== "initContainers") || !Array.isArray(value)) return [key, value];
      return [key, value.map((container) => (isObject(container) ? { ...container, image: "" } : container))];
    }),
  );
}

const DATA_KEY = /^[-._a-zA-Z0-9]{1,253}$/;
const DATA_KEY_RULE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or " +
  "'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
/** etcd's own limit on one object, which clients have come to rely on. */
const MAX_DATA_BYTES = 1024 * 1024;

export function configMapFaults(map: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  return [
    ...dataFaults(map, ["data", "binaryData"]),
    ...immutableDataFaults(map, previous, ["data", "binaryData"]),
  ];
}

export function secretFaults(secret: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const causes = [...dataFaults(secret, ["data"]), ...immutableDataFaults(secret, previous, ["data"])];
  const data = at(secret, "data");
  for (const [key, value] of Object.entries(isObject(data) ? data : {})) {
    if (typeof value === "string" && !/^[A-Za-z0-9+/]*={0,2}$/.test(value.replaceAll(/[\r\n]/g, ""))) {
      // Kubernetes decodes while it reads: this is no fault of validation there.
      throw badRequest(
        `Secret in version "v1" cannot be handled as a Secret: data[${JSON.stringify(key)}]: illegal base64 data`,
      );
    }
  }
  if (previous !== undefined && textAt(secret, "type") !== textAt(previous, "type")) {
    causes.push(invalidValue("type", textAt(secret, "type"), "field is immutable"));
  }
  return causes;
}

function dataFaults(object: KubeObject, fields: readonly string[]): Cause[] {
  const causes: Cause[] = [];
  let bytes = 0;
  for (const field of fields) {
    const data = at(object, field);
    for (const [key, value] of Object.entries(isObject(data) ? data : {})) {
      if (!DATA_KEY.test(key)) causes.push(invalidValue(`${field}[${key}]`, key, DATA_KEY_RULE));
      if (typeof value === "string") bytes += Buffer.byteLength(value);
    }
  }
  if (bytes > MAX_DATA_BYTES) {
    const message = `Too long: may not be more than ${MAX_DATA_BYTES} bytes`;
    causes.push({ field: "data", reason: "FieldValueTooLong", message });
  }
  return causes;
}

function immutableDataFaults(
  object: KubeObject,
  previous: KubeObject | undefined,
  fields: readonly string[],
): Cause[] {
  if (previous === undefined || at(previous, "immutable") !== true) return [];
  return [...fields, "immutable"]
    .filter((field) => !sameJson(at(object, field), at(previous, field)))
    .map((field) => forbiddenField(field, "field is immutable when `immutable` is set"));
}

export function namespaceFaults(namespace: KubeObject): readonly Cause[] {
  return listAt(namespace, "spec", "finalizers").flatMap((finalizer, index) =>
    finalizer === "kubernetes" || String(finalizer).includes("/")
      ? []
      : [
          invalidValue(
            `spec.finalizers[${index}]`,
            finalizer,
            "name is neither a standard finalizer name nor is it fully qualified",
          ),
        ],
  );
}

export function endpointSliceFaults(slice: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const type = textAt(slice, "addressType") ?? "";
  const types = ["FQDN", "IPv4", "IPv6"];
  if (!types.includes(type)) return [unsupported("addressType", type, types)];
  if (previous !== undefined && textAt(previous, "addressType") !== type) {
    return [invalidValue("addressType", type, "field is immutable")];
  }
  return listAt(slice, "endpoints").flatMap((endpoint, index) =>
    listAt(endpoint, "addresses").length === 0
      ? [required(`endpoints[${index}].addresses`, "must contain at least 1 address")]
      : [],
  );
}

export function roleBindingFaults(binding: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const causes: Cause[] = [];
  if ((textAt(binding, "roleRef", "name") ?? "") === "") causes.push(required("roleRef.name"));
  if (previous !== undefined && !sameJson(binding["roleRef"], previous["roleRef"])) {
    causes.push(invalidValue("roleRef", binding["roleRef"], "cannot change roleRef"));
  }
  return causes;
}
