/** Bytes of the resources of waypoints ↔ model. */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { MeshError } from "@meltemi/runtime";
import { waypoint as wire, workloadLabels as wireLabels } from "@meltemi/wire";
import type { WorkloadLabels } from "../types.ts";
import { requireServedReferences, requireSettingsReferences } from "./references.ts";
import { SERVED_SERVICE, WAYPOINT_SETTINGS } from "./served-shape.ts";
import { requireShape, type Shape } from "./shape.ts";

/** Ten thousand routes of a kilobyte each, three times over. */
const MAX_JSON_LENGTH = 32 * 1024 * 1024;
/** Longer than any uid; see convert/fields.ts. */
const MAX_UID_LENGTH = 1024;
/** Kubernetes bounds all metadata of an object together at 256 KiB. */
const MAX_LABELS = 10_000;

/** All decoders throw INPUT_INVALID that says what, where, what was expected and what was there. */
export function decodeServedService(bytes: Uint8Array): ServedService {
  const { json } = parse("ServedService", () => fromBinary(wire.ServedServiceSchema, bytes));
  const service = readJson("ServedService", json, SERVED_SERVICE);
  requireServedReferences(service);
  return service;
}

export function decodeWaypointSettings(bytes: Uint8Array): WaypointSettings {
  const { json } = parse("WaypointSettings", () => fromBinary(wire.WaypointSettingsSchema, bytes));
  const settings = readJson("WaypointSettings", json, WAYPOINT_SETTINGS);
  requireSettingsReferences(settings);
  return settings;
}

export function decodeWorkloadLabels(bytes: Uint8Array): WorkloadLabels {
  const { uid, labels } = parse("WorkloadLabels", () => fromBinary(wireLabels.WorkloadLabelsSchema, bytes));
  if (uid === "" || uid.length > MAX_UID_LENGTH)
    throw new MeshError(
      "INPUT_INVALID",
      `read WorkloadLabels uid: expected 1 to ${MAX_UID_LENGTH} characters, got ${uid.length}`,
    );
  const count = Object.keys(labels).length;
  if (count > MAX_LABELS)
    throw new MeshError(
      "INPUT_INVALID",
      `read WorkloadLabels ${uid}: expected at most ${MAX_LABELS}, got ${count}`,
    );
  return { uid, labels: new Map(Object.entries(labels)) };
}

/** Throws INPUT_INVALID for what a waypoint would refuse. */
export function requireServedService(service: ServedService): void {
  requireServedReferences(requireShape("ServedService", SERVED_SERVICE, service));
}

/** As {@link requireServedService}. */
export function requireWaypointSettings(settings: WaypointSettings): void {
  requireSettingsReferences(requireShape("WaypointSettings", WAYPOINT_SETTINGS, settings));
}

/** Equal values give equal bytes: their hash is the version of the resource. */
export function encodeServedService(service: ServedService): Uint8Array {
  return toBinary(
    wire.ServedServiceSchema,
    create(wire.ServedServiceSchema, { json: canonicalJson(service) }),
  );
}

export function encodeWaypointSettings(settings: WaypointSettings): Uint8Array {
  const message = create(wire.WaypointSettingsSchema, { json: canonicalJson(settings) });
  return toBinary(wire.WaypointSettingsSchema, message);
}

export function encodeWorkloadLabels({ uid, labels }: WorkloadLabels): Uint8Array {
  const sorted = Object.fromEntries([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));
  return toBinary(
    wireLabels.WorkloadLabelsSchema,
    create(wireLabels.WorkloadLabelsSchema, { uid, labels: sorted }),
  );
}

function canonicalJson(value: object): string {
  return JSON.stringify(value, (_name, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function readJson<T>(what: string, json: string, shape: Shape<T>): T {
  if (json.length > MAX_JSON_LENGTH)
    throw new MeshError(
      "INPUT_INVALID",
      `read ${what}: expected at most ${MAX_JSON_LENGTH} characters, got ${json.length}`,
    );
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The parser's message cites the text, which may hold a private key.
    throw new MeshError("INPUT_INVALID", `read ${what}: expected JSON, got ${json.length} other characters`);
  }
  return requireShape(what, shape, value);
}

function parse<T>(what: string, decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `read ${what}: not a protobuf message of that type`, { cause });
  }
}
