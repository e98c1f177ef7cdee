/** Writes access log lines where the service's telemetry asks for them. */

import type { RequestObserver, TcpObserver } from "@meltemi/l7";
import type { TelemetrySettings } from "@meltemi/model/l7";
import { connectionLine, requestLine } from "./access-log-line.ts";

const SILENT: RequestObserver & TcpObserver = { onOpened: () => undefined, onComplete: () => undefined };

export function accessLogObserver(
  { accessLog }: Pick<TelemetrySettings, "accessLog">,
  write: (line: string) => void,
): RequestObserver & TcpObserver {
  if (accessLog.kind === "off") return SILENT;
  return {
    onOpened: () => undefined,
    onComplete: (record) => write("context" in record ? requestLine(record) : connectionLine(record)),
  };
}
