/** The webhooks that validate the mesh's configuration. Pure. */

import { filled, type Labels, type Manifest, text } from "./objects.ts";
import { isTree, type Tree, treeAt, valueAt } from "./tree.ts";

export interface ValidatorOptions {
  readonly name: string;
  readonly labels: Labels;
  /** By which the control plane finds it. */
  readonly revision: string;
  readonly webhook: string;
  readonly service: { readonly name: string; readonly namespace: string };
  /** Which objects, by label istio.io/rev. */
  readonly objects: Tree;
}

const REVISION = "istio.io/rev";
const KIND = "ValidatingWebhookConfiguration";
const GROUPS = [
  "security.istio.io",
  "networking.istio.io",
  "telemetry.istio.io",
  "extensions.istio.io",
  "meltemi.io",
];

/** Made to fail open: once it serves, the control plane puts its certificate in and makes it fail closed. */
export function validator(values: Tree, options: ValidatorOptions): Manifest {
  const url = text(values, "base.validationURL");
  const caBundle = text(values, "base.validationCABundle");
  const policy = text(values, "base.validationFailurePolicy") || (caBundle === "" ? "Ignore" : "Fail");
  // The control plane is to leave alone those of a server of the user's own.
  const { [REVISION]: _, ...others } = options.labels;
  const target = url === "" ? { service: { ...options.service, path: "/validate" } } : { url };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: KIND,
    metadata: {
      name: options.name,
      labels: caBundle === "" ? { ...others, [REVISION]: options.revision } : others,
    },
    webhooks: [
      {
        name: options.webhook,
        clientConfig: { ...target, ...filled("caBundle", caBundle) },
        rules: [
          {
            operations: ["CREATE", "UPDATE"],
            apiGroups: GROUPS,
            apiVersions: ["*"],
            resources: ["*"],
            // Said, for the server would add it: who compares a list as a whole would find another one.
            scope: "*",
          },
        ],
        failurePolicy: policy,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        objectSelector: { matchExpressions: [options.objects] },
      },
    ],
  };
}

/**
 * `rendered`, or, for a webhook that is there already, with the failurePolicy that is found: the control plane wrote it, and an installation
 * must neither open what it closed nor, by leaving the field out, close what nobody answers yet. Not when from now on another one is asked,
 * which may not serve yet. caBundle is the control plane's alone.
 */
export function keepWebhookPolicy(rendered: Manifest, found: unknown): Manifest {
  if (rendered.kind !== KIND) return rendered;
  const webhooks = webhooksOf(rendered).map((each) => {
    const there = webhooksOf(found).find(
      (one) => one["name"] === each["name"] && serviceOf(one) === serviceOf(each),
    );
    const isOurs = valueAt(each, "clientConfig.caBundle") === undefined;
    return isOurs ? { ...each, failurePolicy: there?.["failurePolicy"] ?? each["failurePolicy"] } : each;
  });
  return { ...rendered, webhooks };
}

function serviceOf(webhook: Tree): string {
  const { name, namespace } = treeAt(webhook, "clientConfig.service");
  return `${namespace}/${name}`;
}

function webhooksOf(object: unknown): readonly Tree[] {
  const webhooks = isTree(object) ? object["webhooks"] : undefined;
  return Array.isArray(webhooks) ? webhooks.filter(isTree) : [];
}
