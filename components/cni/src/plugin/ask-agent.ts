/** The plugin's one question to the agent: HTTP over the agent's unix socket. */

import { request } from "node:http";
import { connect } from "node:net";
import type { PodEventBody } from "./cni-call.ts";

export type AgentAnswer =
  | { readonly kind: "accepted" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "unreachable"; readonly why: string };

/** As Istio's plugin (reference: protocol §6.6). */
const TIMEOUT_MS = 5_000;
/** A reason is a sentence. */
const MAX_WHY_CHARACTERS = 2_000;

/** Never rejects. */
export function askAgent(socketPath: string, event: PodEventBody): Promise<AgentAnswer> {
  return new Promise((resolve) => {
    const call = request(
      {
        socketPath,
        host: "pluginevent",
        path: "/cmdadd",
        method: "POST",
        headers: { "content-type": "application/json" },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      },
      (response) => {
        let why = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          if (why.length < MAX_WHY_CHARACTERS) why += text;
        });
        response.on("error", (error) => resolve({ kind: "unreachable", why: error.message }));
        response.on("end", () =>
          resolve(
            response.statusCode === 200
              ? { kind: "accepted" }
              : { kind: "refused", why: `${response.statusCode}: ${why.trim()}` },
          ),
        );
      },
    );
    call.on("error", (error) => resolve({ kind: "unreachable", why: error.message }));
    call.end(JSON.stringify(event));
  });
}

/** Whether the agent listens; a reason when it does not. */
export function probeAgent(socketPath: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path: socketPath, timeout: TIMEOUT_MS });
    const settle = (why: string | undefined): void => {
      socket.destroy();
      resolve(why);
    };
    socket.on("connect", () => settle(undefined));
    socket.on("timeout", () => settle("no answer"));
    socket.on("error", (error) => settle(error.message));
  });
}
