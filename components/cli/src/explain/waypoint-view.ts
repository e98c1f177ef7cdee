/** A waypoint's dump as what it decides with. Throws INPUT_INVALID for what is no dump of ours. */

import { type Ip, type MeshSnapshot, parseSocketAddress } from "@meltemi/model";
import { readDump } from "@meltemi/model/dump";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { MeshError } from "@meltemi/runtime";
import { requireServedService, requireWaypointSettings } from "@meltemi/xds";
import { type Json, jsonAt, objectsAt, textAt } from "../output/json.ts";

export interface LiveEndpoint {
  readonly uid: string;
  readonly ip: Ip;
  readonly port: number;
  /** It takes requests: healthy, and not ejected. */
  readonly takes: boolean;
}

export interface WaypointView {
  /** `<pod>.<namespace>`. */
  readonly name: string;
  readonly node: string;
  readonly snapshot: MeshSnapshot;
  /** By `namespace/hostname`. */
  readonly served: ReadonlyMap<string, ServedService>;
  readonly settings: WaypointSettings;
  /** By cluster. */
  readonly endpoints: ReadonlyMap<string, readonly LiveEndpoint[]>;
  /** Port of the tunnels' listeners at endpoints. */
  readonly endpointPort: number;
}

const HBONE_PORT = 15_008;

export function readWaypointView(dump: Json): WaypointView {
  const settings = jsonAt(dump, "settings");
  if (settings === undefined)
    throw new MeshError("INPUT_INVALID", "read the waypoint's dump: expected its settings, got none yet");
  const pod = jsonAt(jsonAt(dump, "config"), "pod");
  const served = objectsAt(dump, "servedServices").map((service): readonly [string, ServedService] => [
    `${textAt(service, "namespace")}/${textAt(service, "hostname")}`,
    checkedService(service),
  ]);
  return {
    name: `${textAt(pod, "name") || "waypoint"}.${textAt(pod, "namespace")}`,
    node: textAt(jsonAt(jsonAt(dump, "config"), "place"), "node"),
    snapshot: readDump(dump).snapshot,
    served: new Map(served),
    settings: checkedSettings(settings),
    endpoints: new Map(
      objectsAt(dump, "clusters").map((cluster) => [
        textAt(cluster, "name"),
        objectsAt(cluster, "endpoints").flatMap(readEndpoint),
      ]),
    ),
    endpointPort: Number(textAt(jsonAt(jsonAt(dump, "config"), "hbone"), "endpointPort")) || HBONE_PORT,
  };
}

/** As the waypoint itself checks what the control plane sends. */
function checkedService(value: unknown): ServedService {
  requireServedService(value as ServedService);
  return value as ServedService;
}

function checkedSettings(value: unknown): WaypointSettings {
  requireWaypointSettings(value as WaypointSettings);
  return value as WaypointSettings;
}

function readEndpoint(endpoint: Json): readonly LiveEndpoint[] {
  const address = parseSocketAddress(textAt(endpoint, "address"));
  if (address === undefined) return [];
  const takes = textAt(endpoint, "healthy") === "true" && textAt(endpoint, "ejected") !== "true";
  return [{ uid: textAt(endpoint, "uid"), ip: address.ip, port: address.port, takes }];
}
