/**
 * Lets writes, which happen in one go, wait for webhooks. A write is tried; where it comes to webhooks that have not been asked
 * about this very object, it stops, they are asked, and it is tried again from the beginning with their answer at hand. So the try
 * that commits saw nothing but the present, and when the object changed in between the webhooks are asked about the new one.
 */
import { sameJson } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { Refusal } from "../refusal.ts";
import type { Attributes } from "./match.ts";
import type { Asking, Stages } from "./stages.ts";
import type { Stage } from "./webhook.ts";

export interface Hearing {
  /** The object as the stage leaves it. Ends the try when the webhooks have to be asked first. */
  hear(stage: Stage, asking: Asking): KubeObject | undefined;
  /** What is chosen at random is chosen once for all tries: the webhooks' answer is about that name. */
  remember(what: string, choose: () => string): string;
  /** Tries until nothing has to be asked any more. @throws what the write throws, and the webhooks' refusals */
  settle<T>(attempt: () => T): Promise<T>;
}

/** Tries that a write under contention gets: two for its own two stages, and as many again for each change by others. */
const MAX_TRIES = 16;

class Unheard extends Error {
  readonly stage: Stage;
  readonly asking: Asking;

  constructor(stage: Stage, asking: Asking) {
    super("the webhooks have not been asked yet");
    this.stage = stage;
    this.asking = asking;
  }
}

interface Heard {
  readonly stage: Stage;
  readonly attributes: Attributes;
  readonly result: KubeObject | undefined;
}

export function createHearing(stages: Stages): Hearing {
  let heard: Heard[] = [];
  const chosen = new Map<string, string>();
  return {
    remember(what, choose) {
      const known = chosen.get(what) ?? choose();
      chosen.set(what, known);
      return known;
    },
    hear(stage, asking) {
      const { attributes } = asking;
      if (!stages.concerns(stage, attributes)) return attributes.object;
      const known = heard.find((one) => one.stage === stage && sameQuestion(one.attributes, attributes));
      if (known === undefined) throw new Unheard(stage, asking);
      return known.result === undefined ? undefined : structuredClone(known.result);
    },
    async settle(attempt) {
      heard = [];
      chosen.clear();
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        try {
          return attempt();
        } catch (error) {
          if (!(error instanceof Unheard)) throw error;
          const { stage, asking } = error;
          const result = await answerOf(stages, stage, asking);
          heard.push({ stage, attributes: asking.attributes, result });
        }
      }
      const why = `the object changed ${MAX_TRIES} times while admission webhooks were asked about it; try again`;
      throw new Refusal(409, "Conflict", why);
    },
  };
}

async function answerOf(stages: Stages, stage: Stage, asking: Asking): Promise<KubeObject | undefined> {
  if (stage === "mutating") return await stages.mutate(asking);
  await stages.validate(asking);
  return asking.attributes.object;
}

function sameQuestion(a: Attributes, b: Attributes): boolean {
  return (
    a.operation === b.operation &&
    a.subresource === b.subresource &&
    a.namespace === b.namespace &&
    a.name === b.name &&
    a.served.resource.plural === b.served.resource.plural &&
    same(a.object, b.object) &&
    same(a.oldObject, b.oldObject)
  );
}

function same(a: KubeObject | undefined, b: KubeObject | undefined): boolean {
  return a === undefined || b === undefined ? a === b : sameJson(a, b);
}
