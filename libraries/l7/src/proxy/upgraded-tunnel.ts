/** An upgraded request whose bytes are carried: its policies are asked again when they change. */

import { HeaderFields } from "@meltemi/http";
import type { RequestContext } from "../request-context.ts";
import type { OpenTunnel, OpenTunnels } from "../serve/open-tunnels.ts";
import type { HttpSite } from "./site.ts";

export class UpgradedTunnel implements OpenTunnel {
  readonly #judged: RequestContext;
  #judgedBy: HttpSite;
  readonly #current: () => HttpSite | undefined;
  readonly cut: (details: string) => void;

  /** `context`: after all filters, before routes change it. `cut` ends the request, on both sides. */
  constructor(
    context: RequestContext,
    site: HttpSite,
    current: () => HttpSite | undefined,
    cut: (details: string) => void,
  ) {
    const { request } = context;
    const headers = new HeaderFields([...request.headers.flat]);
    this.#judged = { ...context, request: { ...request, headers } };
    this.#judgedBy = site;
    this.#current = current;
    this.cut = cut;
  }

  /** The service accepted the upgrade. */
  open(tunnels: OpenTunnels): void {
    tunnels.add(this);
    // Configuration that came while the service was asked.
    if (this.#current() !== this.#judgedBy) tunnels.rejudge();
  }

  denial(): string | undefined {
    const site = this.#current();
    // A port that is served no more has no policies; who is open goes on until it is drained.
    if (site === undefined || site === this.#judgedBy) return undefined;
    this.#judgedBy = site;
    for (const filter of site.filters) {
      const details = filter.rejudge?.(this.#judged);
      if (details !== undefined) return details;
    }
    return undefined;
  }
}
