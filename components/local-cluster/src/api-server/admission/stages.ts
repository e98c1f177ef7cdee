/** Asks the webhooks of one stage about one write: mutating ones in turn, validating ones all at once. */
import type { Clock, Logger } from "@meltemi/runtime";
import type { UserInfo } from "../identity/user.ts";
import { type JsonObject, sameJson, textMapAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { jsonPatch } from "../patch/json-patch.ts";
import { badRequest, Refusal } from "../refusal.ts";
import type { Served } from "../registry.ts";
import { inVersion } from "../render.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { WebhookCaller } from "./call.ts";
import { judgeConditions } from "./condition.ts";
import { type Attributes, matchingVersion } from "./match.ts";
import { type ReviewAnswer, readAnswer, reviewBody, reviewRequest } from "./review.ts";
import type { Stage, Webhook, Webhooks } from "./webhook.ts";

export interface StagesDeps {
  readonly store: Pick<ObjectStore, "get">;
  readonly webhooks: () => Webhooks;
  readonly caller: Pick<WebhookCaller, "call">;
  readonly newUid: () => string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** One write, as webhooks are told of it. */
export interface Asking {
  readonly attributes: Attributes;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly options: JsonObject;
  /** Told to the client. */
  readonly warn: (text: string) => void;
  /** When the whole request has to be done. */
  readonly deadlineMs: number;
  /** From a patched object in some version to how it is stored, cut to its schema. @throws Refusal 400 */
  readonly decode: (served: Served, object: JsonObject) => KubeObject;
}

export interface Stages {
  /** Whether anybody would be asked. */
  concerns(stage: Stage, attributes: Attributes): boolean;
  /** The object as the mutating webhooks leave it; undefined for a deletion. @throws Refusal when one denies or fails */
  mutate(asking: Asking): Promise<KubeObject | undefined>;
  /** @throws Refusal of the first one that denies or fails */
  validate(asking: Asking): Promise<void>;
}

export function createStages(deps: StagesDeps): Stages {
  const version = (webhook: Webhook, attributes: Attributes): Served | undefined =>
    matchingVersion(webhook, attributes, (namespace) => labelsOfNamespace(deps, namespace));

  /** The object as this webhook leaves it, or undefined when it was not asked. */
  async function mutateWith(webhook: Webhook, asking: Asking): Promise<KubeObject | undefined> {
    const { attributes } = asking;
    const wanted = version(webhook, attributes);
    if (wanted === undefined) return undefined;
    const answer = await ask(deps, webhook, wanted, asking);
    if (answer?.patch === undefined || attributes.object === undefined) return attributes.object;
    return patched(webhook, wanted, asking, attributes.object, answer.patch);
  }

  async function mutate(asking: Asking): Promise<KubeObject | undefined> {
    let { object } = asking.attributes;
    const asked = new Map<Webhook, KubeObject | undefined>();
    const { mutating } = deps.webhooks();
    for (const again of [false, true]) {
      for (const webhook of mutating) {
        // Once more only for those who want it, and only when others changed what they saw.
        if (again && (!webhook.reinvoked || !asked.has(webhook) || sameObject(asked.get(webhook), object)))
          continue;
        const before = { ...asking, attributes: { ...asking.attributes, object } };
        const after = await mutateWith(webhook, before);
        if (after === undefined) continue;
        object = after;
        asked.set(webhook, after);
      }
    }
    return object;
  }

  return {
    concerns: (stage, attributes) =>
      deps.webhooks()[stage].some((webhook) => version(webhook, attributes) !== undefined),
    mutate,
    async validate(asking) {
      await Promise.all(
        deps.webhooks().validating.map(async (webhook) => {
          const wanted = version(webhook, asking.attributes);
          if (wanted !== undefined) await ask(deps, webhook, wanted, asking);
        }),
      );
    },
  };
}

function labelsOfNamespace({ store }: StagesDeps, namespace: string): Record<string, string> | undefined {
  const found = store.get("/namespaces", "", namespace)?.object;
  return found === undefined ? undefined : textMapAt(found, "metadata", "labels");
}

function sameObject(a: KubeObject | undefined, b: KubeObject | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameJson(a, b));
}

type Allowed = Extract<ReviewAnswer, { kind: "allowed" }>;

/** Undefined when the webhook's conditions leave this write out, or when it failed and may. @throws Refusal */
async function ask(
  deps: StagesDeps,
  webhook: Webhook,
  version: Served,
  asking: Asking,
): Promise<Allowed | undefined> {
  const { attributes, user, dryRun, options } = asking;
  const uid = deps.newUid();
  const request = reviewRequest(attributes, version, { uid, user, dryRun, options });
  const conditions = judgeConditions(webhook, request);
  if (conditions.kind === "unmet") return undefined;
  if (conditions.kind === "failed")
    return orIgnored(deps, webhook, `failed evaluating match conditions: ${conditions.why}`);
  const name = JSON.stringify(webhook.name);
  if (dryRun && webhook.hasSideEffects)
    throw badRequest(`admission webhook ${name} does not support dry run`);
  const leftMs = asking.deadlineMs - deps.clock.nowMs();
  const timeoutMs = Math.max(1, Math.min(webhook.timeoutMs, leftMs));
  const called = await deps.caller.call(webhook, reviewBody(request), timeoutMs);
  if (called.kind === "failed") return orIgnored(deps, webhook, called.why);
  const mayPatch = webhook.stage === "mutating" && attributes.object !== undefined;
  const answer = readAnswer(called.text, { name: webhook.name, mayPatch }, uid);
  if (answer.kind === "bad") return orIgnored(deps, webhook, answer.why);
  for (const warning of answer.warnings) asking.warn(warning);
  if (answer.kind === "denied") throw answer.refusal;
  return answer;
}

/** @throws Refusal 500 unless the webhook's failurePolicy lets the write pass */
function orIgnored(deps: StagesDeps, webhook: Webhook, why: string): undefined {
  const message = `failed calling webhook ${JSON.stringify(webhook.name)}: ${why}`;
  if (webhook.failurePolicy === "Fail")
    throw new Refusal(500, "InternalError", `Internal error occurred: ${message}`, {
      causes: [{ message }],
    });
  deps.logger.warn("a webhook failed and is ignored", { webhook: webhook.name, why });
  return undefined;
}

/** What a webhook may not change: a write is about the object that it names. */
const FIXED = ["name", "namespace", "uid", "creationTimestamp", "resourceVersion", "generation"];

function patched(
  webhook: Webhook,
  version: Served,
  asking: Asking,
  object: KubeObject,
  patch: NonNullable<Allowed["patch"]>,
): KubeObject {
  const before = asking.attributes.kind === undefined ? inVersion(version, object) : object;
  let result: KubeObject;
  try {
    result = asking.decode(version, jsonPatch(before, patch) as JsonObject);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const why = `Internal error occurred: admission webhook ${JSON.stringify(webhook.name)} patched the object: ${error.message}`;
    throw new Refusal(500, "InternalError", why, {}, error);
  }
  for (const key of FIXED) {
    if (!sameJson(result.metadata[key], object.metadata[key]))
      throw new Refusal(
        500,
        "InternalError",
        `Internal error occurred: admission webhook ${JSON.stringify(webhook.name)} patched the object: metadata.${key} cannot be changed`,
      );
  }
  return result;
}
