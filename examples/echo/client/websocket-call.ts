/** WebSocket by Node's own client. */

import type { Answer, WebSocketCall } from "./call.ts";
import { type Outcome, timed } from "./outcome.ts";

export async function callWebSocket(call: WebSocketCall, timeoutMs: number): Promise<readonly Answer[]> {
  return [await timed(() => talk(call, timeoutMs))];
}

/** The server speaks first; then each message waits for the answer to the one before. */
function talk(call: WebSocketCall, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(call.url);
    const waiting = [...call.messages];
    const heard: string[] = [];
    const timer = setTimeout(() => {
      socket.close();
      reject(new Error("no answer in time"));
    }, timeoutMs);
    socket.onmessage = ({ data }: { readonly data: unknown }) => {
      heard.push(String(data));
      const next = waiting.shift();
      if (next === undefined) socket.close(1000);
      else socket.send(next);
    };
    socket.onerror = () => {
      clearTimeout(timer);
      reject(new Error("the WebSocket failed"));
    };
    socket.onclose = ({ code }) => {
      clearTimeout(timer);
      resolve({ status: code, headers: {}, trailers: {}, body: heard.join("\n") });
    };
  });
}
