/** The load generator of the l4 benchmark, the same for every path. Obeys one command at a time. */

import { measureBulk } from "./load-bulk.ts";
import { holdConnections, releaseConnections } from "./load-connections.ts";
import { measureNewConnections } from "./load-new-connections.ts";
import { measureRequests } from "./load-requests.ts";
import type { LoadCommand, LoadReply } from "./messages.ts";

process.on("message", (command: LoadCommand) => void answer(command));
process.on("disconnect", () => process.exit(0));
process.send?.({ kind: "ready" });

async function answer(command: LoadCommand): Promise<void> {
  const before = process.cpuUsage();
  let result: Omit<LoadReply, "cpuSeconds">;
  try {
    result = await obey(command);
  } catch (error) {
    result = { correct: false, opened: 0, fault: String(error) };
  }
  const used = process.cpuUsage(before);
  process.send?.({ ...result, cpuSeconds: (used.user + used.system) / 1e6 } satisfies LoadReply);
}

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
