/** The load generator of the waypoint benchmark, the same for every proxy. Obeys one command at a time. */

import { obeyCommands } from "../load-worker.ts";
import { openHttp1Lanes } from "./http1-lanes.ts";
import { openHttp2Lanes } from "./http2-lanes.ts";
import { runLoad } from "./lanes.ts";
import type { LoadCommand, LoadReply } from "./messages.ts";
import { askedRequests, FEW_ROUTES } from "./traffic.ts";

const NOTHING = { answered: 0, perSecond: 0, p50Us: Number.NaN, p99Us: Number.NaN, correct: false } as const;

obeyCommands<LoadCommand, LoadReply>(obey, (fault) => ({ ...NOTHING, fault }));

async function obey(command: LoadCommand): Promise<Omit<LoadReply, "cpuSeconds">> {
  const { port, speaks, routes } = command.target;
  const asked =
    routes === 0
      ? askedRequests(FEW_ROUTES).filter(({ answeredBy }) => answeredBy === "v1")
      : askedRequests(routes);
  const lanes =
    speaks === "HTTP/2"
      ? await openHttp2Lanes(port, command.concurrency, asked)
      : openHttp1Lanes(port, command.concurrency, asked);
  try {
    return await runLoad(lanes, command);
  } finally {
    lanes.close();
  }
}
