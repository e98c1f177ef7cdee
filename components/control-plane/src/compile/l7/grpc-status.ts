/** Status codes of gRPC, as a fault names them: by name or by number. */

import { GRPC_STATUS_NAMES } from "@meltemi/model/l7";

/** Undefined for what is neither. */
export function grpcStatusCode(text: string): number | undefined {
  const code = /^\d{1,2}$/.test(text) ? Number(text) : GRPC_STATUS_NAMES.indexOf(text.toUpperCase());
  return code >= 0 && code < GRPC_STATUS_NAMES.length ? code : undefined;
}
