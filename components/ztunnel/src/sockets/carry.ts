/** The last part of every connection, whichever way it goes: both ends are there. */

import type { ByteChannel, Relays } from "@meltemi/l4";
import { type OpenConnection, relayEnding } from "../telemetry/connection-telemetry.ts";
import type { Attempt } from "./attempt.ts";

/** Relays until the end, which is told. Resolves then; never rejects. */
export async function carry(
  relays: Relays,
  ends: { readonly downstream: ByteChannel; readonly upstream: ByteChannel },
  attempt: Attempt,
  telemetry: OpenConnection,
): Promise<void> {
  const session = relays.start(ends.downstream, ends.upstream);
  attempt.carry(session);
  telemetry.carry(session);
  const { flag, error } = relayEnding(await session.finished);
  telemetry.finish(flag, error);
}
