/** Calls from the client pod to `reviews`, many at little cost: one program in the pod makes them all. */

import { PodProcess } from "./pod-process.ts";
import { CLIENT, type Stage } from "./stage.ts";

/** What `examples/echo` is asked: `times` requests to one URL. */
export interface Ask {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly times?: number;
  /** All at once. */
  readonly together?: boolean;
  readonly pauseMs?: number;
}

export interface Answer {
  readonly status: number;
  /** Of the pod that answered; empty where none of ours did. */
  readonly version: string;
  /** Whether a proxy that reads HTTP stood on the way: it gives each request a number. */
  readonly passedWaypoint: boolean;
  readonly body: string;
  readonly error?: string;
}

const URL = "http://reviews.default";
/** The longest row of requests takes a few seconds. */
const ANSWER_DEADLINE_MS = 40_000;

interface RawAnswer {
  readonly status: number;
  readonly body: string;
  readonly error?: string;
}

interface Report {
  readonly version: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** One row of requests at a time. */
export class ReviewsCaller implements Disposable {
  readonly #process: PodProcess;
  #asked = 0;

  constructor(stage: Stage) {
    const { projectRoot } = stage.options;
    const echo = `${projectRoot}/examples/echo/main.ts`;
    this.#process = new PodProcess(stage, CLIENT, [`${projectRoot}/node_modules/.bin/node`, echo, "call"]);
  }

  async ask({ path = "/", ...more }: Ask = {}): Promise<readonly Answer[]> {
    const id = ++this.#asked;
    this.#process.send(JSON.stringify({ id, kind: "http", url: `${URL}${path}`, ...more }));
    const line = await this.#process.next(ANSWER_DEADLINE_MS);
    return (JSON.parse(line) as { readonly answers: readonly RawAnswer[] }).answers.map(readAnswer);
  }

  [Symbol.dispose](): void {
    this.#process[Symbol.dispose]();
  }
}

function readAnswer({ status, body, error }: RawAnswer): Answer {
  const report = body.startsWith('{"pod"') ? (JSON.parse(body) as Report) : undefined;
  return {
    status,
    version: report?.version ?? "",
    passedWaypoint: report?.headers["x-request-id"] !== undefined,
    body: body.trim(),
    ...(error === undefined ? {} : { error }),
  };
}

export const isGood = ({ status, error }: Answer): boolean => status === 200 && error === undefined;

/** `v1: 12, v2: 3`, in order. */
export function countBy(answers: readonly Answer[], key: (answer: Answer) => string | number): string {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    const name = String(key(answer));
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts]
    .sort()
    .map(([name, count]) => `${name}: ${count}`)
    .join(", ");
}
