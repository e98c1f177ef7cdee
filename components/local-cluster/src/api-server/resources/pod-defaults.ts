/** What Kubernetes fills into pods and pod templates when the writer leaves it out. */
import {
  at,
  childObject,
  isObject,
  type Json,
  type JsonObject,
  listAt,
  setDefault,
  textAt,
} from "../json.ts";
import type { KubeObject } from "../kube-object.ts";

export function defaultPod(pod: KubeObject): void {
  const spec = childObject(pod, "spec");
  defaultPodSpec(spec);
  setDefault(spec, "enableServiceLinks", true);
  // Limits stand for requests that were not written, for pods but not for templates.
  for (const container of containersOf(spec)) limitsAsRequests(container);
}

export function defaultPodTemplate(template: JsonObject): void {
  defaultPodSpec(childObject(template, "spec"));
}

function defaultPodSpec(spec: JsonObject): void {
  setDefault(spec, "restartPolicy", "Always");
  setDefault(spec, "dnsPolicy", "ClusterFirst");
  setDefault(spec, "schedulerName", "default-scheduler");
  setDefault(spec, "terminationGracePeriodSeconds", 30);
  setDefault(spec, "securityContext", {});
  if (textAt(spec, "serviceAccountName") === undefined && textAt(spec, "serviceAccount") !== undefined) {
    spec["serviceAccountName"] = spec["serviceAccount"] ?? "";
  }
  if (textAt(spec, "serviceAccountName") !== undefined)
    spec["serviceAccount"] = spec["serviceAccountName"] ?? "";
  for (const container of containersOf(spec)) defaultContainer(container, at(spec, "hostNetwork") === true);
  for (const volume of listAt(spec, "volumes")) if (isObject(volume)) defaultVolume(volume);
}

export function containersOf(spec: JsonObject): JsonObject[] {
  return [...listAt(spec, "initContainers"), ...listAt(spec, "containers")].filter(isObject);
}

function defaultContainer(container: JsonObject, hostNetwork: boolean): void {
  setDefault(container, "imagePullPolicy", pullPolicy(textAt(container, "image") ?? ""));
  setDefault(container, "terminationMessagePath", "/dev/termination-log");
  setDefault(container, "terminationMessagePolicy", "File");
  setDefault(container, "resources", {});
  for (const port of listAt(container, "ports").filter(isObject)) {
    setDefault(port, "protocol", "TCP");
    if (hostNetwork) setDefault(port, "hostPort", port["containerPort"] ?? 0);
  }
  for (const variable of listAt(container, "env")) {
    const reference = at(variable, "valueFrom", "fieldRef");
    if (isObject(reference)) setDefault(reference, "apiVersion", "v1");
  }
  for (const name of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    const probe = container[name];
    if (isObject(probe)) defaultProbe(probe);
  }
  for (const name of ["postStart", "preStop"]) defaultHttpGet(at(container, "lifecycle", name, "httpGet"));
}

/** `:latest`, or no tag at all, is pulled each time; a digest or another tag once. */
function pullPolicy(image: string): string {
  const tag = /:([^/:@]+)(?:@.*)?$/.exec(image)?.[1];
  if (image.includes("@")) return "IfNotPresent";
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: JsonObject): void {
  setDefault(probe, "timeoutSeconds", 1);
  setDefault(probe, "periodSeconds", 10);
  setDefault(probe, "successThreshold", 1);
  setDefault(probe, "failureThreshold", 3);
  defaultHttpGet(probe["httpGet"]);
  const grpc = probe["grpc"];
  if (isObject(grpc)) setDefault(grpc, "service", "");
}

function defaultHttpGet(request: Json | undefined): void {
  if (!isObject(request)) return;
  setDefault(request, "path", "/");
  setDefault(request, "scheme", "HTTP");
}

/** rw-r--r-- */
const FILE_MODE = 0o644;
/** A token is renewed long before an hour is over. */
const TOKEN_EXPIRATION_SECONDS = 3600;

function defaultVolume(volume: JsonObject): void {
  const sources = Object.keys(volume).filter((key) => key !== "name");
  if (sources.length === 0) volume["emptyDir"] = {};
  for (const name of ["configMap", "secret", "downwardAPI", "projected"]) {
    const source = volume[name];
    if (isObject(source)) setDefault(source, "defaultMode", FILE_MODE);
  }
  const hostPath = volume["hostPath"];
  if (isObject(hostPath)) setDefault(hostPath, "type", "");
  const projected = listAt(volume, "projected", "sources");
  for (const source of projected) {
    const token = at(source, "serviceAccountToken");
    if (isObject(token)) setDefault(token, "expirationSeconds", TOKEN_EXPIRATION_SECONDS);
  }
  const items = [at(volume, "downwardAPI"), ...projected.map((source) => at(source, "downwardAPI"))];
  for (const item of items.flatMap((source) => listAt(source, "items"))) {
    const reference = at(item, "fieldRef");
    if (isObject(reference)) setDefault(reference, "apiVersion", "v1");
  }
}

function limitsAsRequests(container: JsonObject): void {
  const limits = at(container, "resources", "limits");
  if (!isObject(limits)) return;
  const requests = childObject(childObject(container, "resources"), "requests");
  for (const [name, amount] of Object.entries(limits)) setDefault(requests, name, amount);
}

/** The pod's quality of service: how the kernel's memory pressure treats it. */
export function qualityOfService(spec: JsonObject): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = containersOf(spec);
  const amounts = (container: JsonObject, kind: string): JsonObject => {
    const found = at(container, "resources", kind);
    return isObject(found) ? found : {};
  };
  const named = ["cpu", "memory"];
  const mentions = (container: JsonObject): boolean =>
    named.some(
      (name) =>
        amounts(container, "requests")[name] !== undefined ||
        amounts(container, "limits")[name] !== undefined,
    );
  if (!containers.some(mentions)) return "BestEffort";
  const guaranteed = containers.every((container) =>
    named.every((name) => {
      const limit = amounts(container, "limits")[name];
      return limit !== undefined && (amounts(container, "requests")[name] ?? limit) === limit;
    }),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}
