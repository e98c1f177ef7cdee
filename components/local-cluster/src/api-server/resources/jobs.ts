/** Defaults and validation of Jobs. What the controller does not do is refused, not ignored. */
import { at, childObject, isObject, numberAt, sameJson, setDefault, textAt, textMapAt } from "../json.ts";
import { type KubeObject, nameOf, uidOf } from "../kube-object.ts";
import { type Cause, forbiddenField, invalidValue, required, unsupported } from "../refusal.ts";
import { selectorMatches } from "./label-selector.ts";
import { labelFaults, selectorFaults } from "./names.ts";
import { defaultPodTemplate } from "./pod-defaults.ts";
import { podSpecFaults } from "./validation.ts";

const PREFIX = "batch.kubernetes.io";
const BACKOFF_LIMIT = 6;

/** Also gives the job's pods labels that no other pod has, and selects by them. */
export function defaultJob(job: KubeObject): void {
  const spec = childObject(job, "spec");
  if (spec["completions"] === undefined && spec["parallelism"] === undefined) spec["completions"] = 1;
  setDefault(spec, "parallelism", 1);
  setDefault(spec, "backoffLimit", BACKOFF_LIMIT);
  setDefault(spec, "completionMode", "NonIndexed");
  setDefault(spec, "suspend", false);
  setDefault(spec, "manualSelector", false);
  setDefault(spec, "podReplacementPolicy", "TerminatingOrFailed");
  const { template } = spec;
  if (!isObject(template)) return;
  defaultPodTemplate(template);
  if (spec["manualSelector"] === true) return;
  const labels = childObject(childObject(template, "metadata"), "labels");
  const [uid, name] = [uidOf(job), nameOf(job)];
  for (const [key, value] of [
    ["controller-uid", uid],
    ["job-name", name],
  ] as const) {
    setDefault(labels, key, value);
    setDefault(labels, `${PREFIX}/${key}`, value);
  }
  setDefault(spec, "selector", { matchLabels: { [`${PREFIX}/controller-uid`]: uid } });
}

export function jobFaults(job: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  const { spec } = job;
  const template = at(spec, "template");
  if (!isObject(template)) return [required("spec.template")];
  const selector = at(spec, "selector");
  const labels = at(template, "metadata", "labels");
  const causes = [
    ...selectorFaults(selector, "spec.selector", false),
    ...labelFaults(labels, "spec.template.metadata.labels"),
  ];
  if (causes.length === 0 && !selectorMatches(selector, textMapAt(labels)))
    causes.push(
      invalidValue(
        "spec.template.metadata.labels",
        labels ?? null,
        "`selector` does not match template `labels`",
      ),
    );
  const policy = textAt(template, "spec", "restartPolicy") ?? "Always";
  if (policy !== "OnFailure" && policy !== "Never")
    causes.push(unsupported("spec.template.spec.restartPolicy", policy, ["OnFailure", "Never"]));
  return [
    ...causes,
    ...podSpecFaults(template["spec"], "spec.template.spec"),
    ...countFaults(job),
    ...unsupportedFaults(job),
    ...immutableFaults(job, previous),
  ];
}

const COUNTS = [
  "parallelism",
  "completions",
  "backoffLimit",
  "activeDeadlineSeconds",
  "ttlSecondsAfterFinished",
] as const;

function countFaults({ spec }: KubeObject): readonly Cause[] {
  return COUNTS.flatMap((key) => {
    const value = numberAt(spec, key);
    return value === undefined || value >= 0
      ? []
      : [invalidValue(`spec.${key}`, value, "must be greater than or equal to 0")];
  });
}

const UNSUPPORTED = [
  "podFailurePolicy",
  "successPolicy",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
  "managedBy",
] as const;

function unsupportedFaults({ spec }: KubeObject): readonly Cause[] {
  const mode = textAt(spec, "completionMode");
  const replacement = textAt(spec, "podReplacementPolicy");
  return [
    ...(mode === "NonIndexed" ? [] : [unsupported("spec.completionMode", mode, ["NonIndexed"])]),
    ...(replacement === "TerminatingOrFailed"
      ? []
      : [unsupported("spec.podReplacementPolicy", replacement, ["TerminatingOrFailed"])]),
    ...UNSUPPORTED.filter((key) => at(spec, key) !== undefined).map((key) =>
      forbiddenField(`spec.${key}`, "not supported by this local cluster"),
    ),
  ];
}

function immutableFaults(job: KubeObject, previous: KubeObject | undefined): readonly Cause[] {
  if (previous === undefined) return [];
  return ["selector", "template", "completions", "completionMode"]
    .filter((key) => !sameJson(at(job, "spec", key), at(previous, "spec", key)))
    .map((key) => invalidValue(`spec.${key}`, at(job, "spec", key), "field is immutable"));
}
