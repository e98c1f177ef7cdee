/** The load generator of the l4 benchmark, the same for every path. Obeys one command at a time. */

import { obeyCommands } from "../load-worker.ts";
import { measureBulk } from "./load-bulk.ts";
import { holdConnections, releaseConnections } from "./load-connections.ts";
import { measureNewConnections } from "./load-new-connections.ts";
import { measureRequests } from "./load-requests.ts";
import type { LoadCommand, LoadReply } from "./messages.ts";

obeyCommands<LoadCommand, LoadReply>(obey, (fault) => ({ correct: false, opened: 0, fault }));

async function obey(command: LoadCommand): Promise<Omit<LoadReply, "cpuSeconds">> {
  switch (command.kind) {
    case "bulk":
      return measureBulk(command);
    case "requests":
      return measureRequests(command);
    case "connections":
      return measureNewConnections(command);
    case "hold":
      return holdConnections(command);
    case "release":
      return releaseConnections();
  }
}
