/** What pods get from the cluster when they are created: a service account with its token, a priority, tolerations. */
import {
  at,
  childObject,
  type Json,
  type JsonObject,
  listAt,
  numberAt,
  setDefault,
  textAt,
} from "../json.ts";
import { type KubeObject, nameOf, namespaceOf } from "../kube-object.ts";
import { forbidden } from "../refusal.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { containersOf } from "./pod-defaults.ts";

const TOKEN_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
/** A little over an hour, as Kubernetes asks for: old clients that never reload last until the kubelet's renewal. */
const TOKEN_SECONDS = 3607;

export function admitPod(pod: KubeObject, store: ObjectStore): void {
  const spec = childObject(pod, "spec");
  setDefault(spec, "serviceAccountName", "default");
  if (spec["serviceAccountName"] === "") spec["serviceAccountName"] = "default";
  spec["serviceAccount"] = spec["serviceAccountName"] ?? "default";
  const account = serviceAccountOf(pod, store);
  mountToken(spec, account);
  resolvePriority(pod, spec, store);
  addTolerations(spec);
}

function serviceAccountOf(pod: KubeObject, store: ObjectStore): KubeObject {
  const name = textAt(pod, "spec", "serviceAccountName") ?? "default";
  const found = store.get("/serviceaccounts", namespaceOf(pod), name);
  if (found !== undefined) return found.object;
  const why = `error looking up service account ${namespaceOf(pod)}/${name}: serviceaccount ${JSON.stringify(name)} not found`;
  throw forbidden({ group: "", resource: "pods", name: nameOf(pod) }, why);
}

function mountToken(spec: JsonObject, account: KubeObject): void {
  const wanted =
    at(spec, "automountServiceAccountToken") ?? at(account, "automountServiceAccountToken") ?? true;
  if (wanted !== true) return;
  const missing = containersOf(spec).filter(
    (container) =>
      !listAt(container, "volumeMounts").some((mount) => textAt(mount, "mountPath") === TOKEN_MOUNT),
  );
  if (missing.length === 0) return;
  const name = "kube-api-access";
  if (!listAt(spec, "volumes").some((volume) => textAt(volume, "name") === name)) {
    spec["volumes"] = [...listAt(spec, "volumes"), tokenVolume(name)];
  }
  for (const container of missing) {
    container["volumeMounts"] = [
      ...listAt(container, "volumeMounts"),
      { name, readOnly: true, mountPath: TOKEN_MOUNT },
    ];
  }
}

function tokenVolume(name: string): Json {
  return {
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: "token" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        {
          downwardAPI: {
            items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
          },
        },
      ],
    },
  };
}

function resolvePriority(pod: KubeObject, spec: JsonObject, store: ObjectStore): void {
  const name = textAt(spec, "priorityClassName") ?? "";
  const classes = store.list("scheduling.k8s.io/priorityclasses").map((stored) => stored.object);
  const found =
    name === ""
      ? classes.find((item) => item["globalDefault"] === true)
      : classes.find((item) => nameOf(item) === name);
  if (found === undefined && name !== "") {
    throw forbidden(
      { group: "", resource: "pods", name: nameOf(pod) },
      `no PriorityClass with name ${name} was found`,
    );
  }
  if (found !== undefined) spec["priorityClassName"] = nameOf(found);
  spec["priority"] = found === undefined ? 0 : (numberAt(found, "value") ?? 0);
  setDefault(spec, "preemptionPolicy", found?.["preemptionPolicy"] ?? "PreemptLowerPriority");
}

/** Pods stay five minutes on a node that stopped answering, unless they say otherwise. */
const NODE_LOST_SECONDS = 300;

function addTolerations(spec: JsonObject): void {
  const tolerations = listAt(spec, "tolerations");
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const covered = tolerations.some((toleration) => {
      const own = textAt(toleration, "key") ?? "";
      const effect = textAt(toleration, "effect") ?? "";
      return (own === "" || own === key) && (effect === "" || effect === "NoExecute");
    });
    if (!covered)
      tolerations.push({
        key,
        operator: "Exists",
        effect: "NoExecute",
        tolerationSeconds: NODE_LOST_SECONDS,
      });
  }
  spec["tolerations"] = tolerations;
}
