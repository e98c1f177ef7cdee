import { detach } from "@meltemi/runtime";
import type { ClientExchange, ResponseReceiver } from "../exchange.ts";

/** A request that never went out, which its receiver hears in a moment: no callback runs inside `send`. */
export class RefusedExchange implements ClientExchange {
  #aborted = false;

  constructor(detail: string, receiver: ResponseReceiver, onInternalError: (error: unknown) => void) {
    const tell = (): void => {
      if (!this.#aborted) receiver.onFault({ kind: "refused", detail });
    };
    queueMicrotask(() => detach(tell, onInternalError));
  }

  write(): boolean {
    return true;
  }

  end(): void {}

  pause(): void {}

  resume(): void {}

  abort(): void {
    this.#aborted = true;
  }
}
