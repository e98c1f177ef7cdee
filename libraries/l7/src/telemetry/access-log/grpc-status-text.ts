/** How a log line spells the status of a gRPC answer. */

import { GRPC_STATUS_NAMES } from "@meltemi/model/l7";
import type { RequestRecord } from "../../proxy/request-record.ts";
import { grpcStatus } from "../metrics/request-meter.ts";

/** Envoy's spelling in words of one. */
const CAMEL_NAMES: readonly string[] = GRPC_STATUS_NAMES.map((name) =>
  name === "OK"
    ? "OK"
    : name.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
);

/** Undefined for a style that does not exist. */
export function grpcStatusText(
  style: string,
): ((record: RequestRecord) => string | number | undefined) | undefined {
  switch (style) {
    case "NUMBER":
      return grpcStatus;
    case "SNAKE_STRING":
      return (record) => GRPC_STATUS_NAMES[grpcStatus(record) ?? -1];
    case "CAMEL_STRING":
    case "":
      return (record) => CAMEL_NAMES[grpcStatus(record) ?? -1];
    default:
      return undefined;
  }
}
