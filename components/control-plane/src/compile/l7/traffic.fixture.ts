/** A mesh of one bound service, for tests of L7 compilation: a test says only what it is about. */

import assert from "node:assert/strict";
import type { HttpRoute, ServedPort, ServedService, WaypointSettings } from "@meltemi/model/l7";
import type {
  DestinationRuleSpec,
  GRPCRouteSpec,
  HTTPRouteSpec,
  VirtualServiceSpec,
} from "@meltemi/resources";
import {
  decodeServedService,
  decodeWaypointSettings,
  encodeServedService,
  encodeWaypointSettings,
} from "@meltemi/xds";
import { gatewayClassFacts, SETTINGS, serviceFacts, waypointFacts } from "../facts.fixture.ts";
import type { MeshInputs } from "../mesh-collections.ts";
import { createMeshCompiler, type MeshCompiler } from "../mesh-compiler.ts";
import type { CompileSettings } from "../settings.ts";
import type { TrafficSettings } from "./traffic-settings.ts";

export type Fill = (inputs: MeshInputs) => void;

/** Service `ns/svc`, port 80, bound to waypoint `ns/waypoint`; `ns/v1`, `ns/v2` and `other/far` beside it. */
export function compileTraffic(fills: readonly Fill[], traffic: Partial<TrafficSettings> = {}): MeshCompiler {
  const settings: CompileSettings = { ...SETTINGS, traffic: { ...SETTINGS.traffic, ...traffic } };
  const compiler = createMeshCompiler(settings, (collection, key, cause) => {
    throw new Error(`${collection} ${key}`, { cause });
  });
  const { inputs } = compiler;
  inputs.gatewayClasses.put(
    "istio-waypoint",
    gatewayClassFacts({ controllerName: "istio.io/mesh-controller" }),
  );
  inputs.waypoints.put("ns/waypoint", waypointFacts());
  const waypoint = { useWaypoint: "waypoint" };
  inputs.services.put("ns/svc", serviceFacts({ waypoint }));
  for (const name of ["v1", "v2"]) inputs.services.put(`ns/${name}`, serviceFacts({ name }));
  inputs.services.put("other/far", serviceFacts({ namespace: "other", name: "far" }));
  for (const fill of fills) fill(inputs);
  compiler.flush();
  return compiler;
}

const HOST = "svc.ns.svc.cluster.local";

/** As a waypoint would take it: encoded, checked and decoded. */
export function servedService({ outputs }: MeshCompiler, waypoint = "ns/waypoint"): ServedService {
  const served = outputs.served.get(`${waypoint}|ns/${HOST}`);
  assert.ok(served, "the service is not served");
  return decodeServedService(encodeServedService(served.service));
}

export function waypointSettings({ outputs }: MeshCompiler): WaypointSettings {
  const settings = outputs.waypointSettings.get("ns/waypoint");
  assert.ok(settings, "the waypoint has no settings");
  return decodeWaypointSettings(encodeWaypointSettings(settings));
}

export function servedPort(compiler: MeshCompiler, port = 80): ServedPort {
  const found = servedService(compiler).ports.find((each) => each.port === port);
  return found ?? assert.fail(`port ${port} is not served`);
}

export function routesOf(compiler: MeshCompiler, port = 80): readonly HttpRoute[] {
  return servedPort(compiler, port).httpRoutes;
}

interface Identity {
  readonly namespace?: string;
  readonly name?: string;
  readonly createdMs?: number;
}

export function virtualService(spec: VirtualServiceSpec, identity: Identity = {}): Fill {
  const { namespace = "ns", name = "vs", createdMs = 0 } = identity;
  return ({ virtualServices }) =>
    void virtualServices.put(`${namespace}/${name}`, { namespace, name, createdMs, generation: 1, spec });
}

export function destinationRule(spec: DestinationRuleSpec, identity: Identity = {}): Fill {
  const { namespace = "ns", name = "dr", createdMs = 0 } = identity;
  return ({ destinationRules }) =>
    void destinationRules.put(`${namespace}/${name}`, { namespace, name, createdMs, generation: 1, spec });
}

export function httpRoute(spec: HTTPRouteSpec, identity: Identity = {}): Fill {
  const { namespace = "ns", name = "route", createdMs = 0 } = identity;
  const parentRefs = spec.parentRefs ?? [{ group: "", kind: "Service", name: "svc" }];
  return ({ routes }) =>
    void routes.put(`HTTPRoute/${namespace}/${name}`, {
      kind: "HTTPRoute",
      namespace,
      name,
      createdMs,
      generation: 1,
      spec: { ...spec, parentRefs },
    });
}

export function grpcRoute(spec: GRPCRouteSpec): Fill {
  const parentRefs = [{ group: "", kind: "Service", name: "svc" }];
  return ({ routes }) =>
    void routes.put("GRPCRoute/ns/grpc", {
      kind: "GRPCRoute",
      namespace: "ns",
      name: "grpc",
      createdMs: 0,
      generation: 1,
      spec: { ...spec, parentRefs },
    });
}

/** Where the first route sends what it matches: the cluster's name, or why it is invalid, with its weight. */
export function targetsOf(route: HttpRoute | undefined): readonly (readonly [string, number])[] {
  assert.ok(route?.action.kind === "forward", `expected a route that forwards, got ${route?.action.kind}`);
  return route.action.targets.map(({ target, weight }) => [
    target.kind === "cluster" ? target.cluster : `invalid: ${target.detail}`,
    weight,
  ]);
}
