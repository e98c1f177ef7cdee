/**
 * Small numbers for what the labels of a request consist of: who called, who was called, which flags. What one connection or one
 * endpoint is called is worked out once, so that a request finds its series by a number.
 */

import type { NamespacedHostname, Workload } from "@meltemi/model";
import type { Caller } from "../../request-context.ts";
import { destinationLabels, sourceLabels } from "./standard-labels.ts";

export interface LabelPart {
  /** Below {@link MAX_PARTS}; -1 once there are too many: such a request's series is looked up by its text. */
  readonly id: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Where traffic went, as records tell it. */
export interface Target {
  readonly service: NamespacedHostname | undefined;
  readonly endpoint: { readonly workload: Workload | undefined } | undefined;
}

/** A bit more than there are label sets: more peers than that cannot all have a series. One part takes 500 bytes. */
export const MAX_PARTS: number = 2 ** 14;
/** Flags are this program's own; there are fewer combinations than this. */
export const MAX_FLAGS: number = 2 ** 10;

class Parts {
  readonly #byText = new Map<string, LabelPart>();

  get isFull(): boolean {
    return this.#byText.size >= MAX_PARTS;
  }

  part(labels: Readonly<Record<string, string>>): LabelPart {
    const text = Object.values(labels).join("\n");
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    if (this.isFull) return { id: -1, labels };
    const made = { id: this.#byText.size, labels };
    this.#byText.set(text, made);
    return made;
  }
}

interface DestinationEntry {
  readonly service: NamespacedHostname | undefined;
  readonly part: LabelPart;
}

export class LabelIndex {
  /** Changes whenever ids and cells found before are void. */
  generation = 0;
  #sources = new Parts();
  #destinations = new Parts();
  #byCaller = new WeakMap<Caller, LabelPart>();
  #byEndpoint = new WeakMap<object, DestinationEntry>();
  #byService = new WeakMap<NamespacedHostname, LabelPart>();
  #nowhere: LabelPart | undefined;
  #flags = new Map<string, number>();

  source(caller: Caller): LabelPart {
    const known = this.#byCaller.get(caller);
    if (known !== undefined) return known;
    const part = this.#sources.part(sourceLabels(caller));
    this.#byCaller.set(caller, part);
    return part;
  }

  destination({ service, endpoint }: Target): LabelPart {
    if (endpoint === undefined) return this.#noEndpoint(service);
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined && known.service === service) return known.part;
    const part = this.#destinations.part(destinationLabels(service, endpoint.workload));
    this.#byEndpoint.set(endpoint, { service, part });
    return part;
  }

  /** -1 once there are too many. */
  flags(text: string): number {
    const known = this.#flags.get(text);
    if (known !== undefined) return known;
    if (this.#flags.size >= MAX_FLAGS) return -1;
    const id = this.#flags.size;
    this.#flags.set(text, id);
    return id;
  }

  /** Void everything when cells were forgotten, or when there is no room: peers that are gone take none afterwards. */
  renew(cellsForgotten: boolean): void {
    if (!cellsForgotten && !this.#sources.isFull && !this.#destinations.isFull) return;
    this.generation++;
    this.#sources = new Parts();
    this.#destinations = new Parts();
    this.#byCaller = new WeakMap();
    this.#byEndpoint = new WeakMap();
    this.#byService = new WeakMap();
    this.#nowhere = undefined;
    this.#flags = new Map();
  }

  #noEndpoint(service: NamespacedHostname | undefined): LabelPart {
    if (service === undefined) {
      this.#nowhere ??= this.#destinations.part(destinationLabels(undefined, undefined));
      return this.#nowhere;
    }
    const known = this.#byService.get(service);
    if (known !== undefined) return known;
    const part = this.#destinations.part(destinationLabels(service, undefined));
    this.#byService.set(service, part);
    return part;
  }
}
