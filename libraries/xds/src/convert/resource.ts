/** Bytes of a whole resource (the `value` of the Any on the wire) ↔ model. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Policy } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { authorization, workload as wire } from "@meltemi/wire";
import type { Address } from "../types.ts";
import { policyFromWire, policyToWire } from "./policy.ts";
import { serviceFromWire, serviceToWire } from "./service.ts";
import { workloadFromWire, workloadToWire } from "./workload.ts";

/** Throws INPUT_INVALID for bytes that are no message, and for messages that must be refused. */
export function decodeAddress(bytes: Uint8Array): Address {
  const { type } = parse("Address", () => fromBinary(wire.AddressSchema, bytes));
  switch (type.case) {
    case "workload":
      return { kind: "workload", workload: workloadFromWire(type.value) };
    case "service":
      return { kind: "service", service: serviceFromWire(type.value) };
    default:
      throw new MeshError("INPUT_INVALID", "read Address: expected a workload or a service, got neither");
  }
}

/** As {@link decodeAddress}, for `istio.security.Authorization`. */
export function decodePolicy(bytes: Uint8Array): Policy {
  return policyFromWire(parse("Authorization", () => fromBinary(authorization.AuthorizationSchema, bytes)));
}

export function encodeAddress(address: Address): Uint8Array {
  const message = create(wire.AddressSchema, {
    type:
      address.kind === "workload"
        ? { case: "workload", value: workloadToWire(address.workload) }
        : { case: "service", value: serviceToWire(address.service) },
  });
  return toBinary(wire.AddressSchema, message);
}

export function encodePolicy(policy: Policy): Uint8Array {
  return toBinary(authorization.AuthorizationSchema, policyToWire(policy));
}

function parse<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `read ${what}: not a protobuf message of that type`, { cause });
  }
}
