/** What a probe asks of whom: the API's handlers resolved against a pod. Pure. */

import { MeshError } from "@meltemi/runtime";
import type { Container, Probe } from "../container/types.ts";

export type ProbeTarget =
  | {
      readonly kind: "http";
      readonly scheme: "http" | "https";
      readonly host: string;
      readonly port: number;
      readonly path: string;
      readonly headers: readonly (readonly [string, string])[];
    }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "grpc"; readonly host: string; readonly port: number; readonly service: string }
  | { readonly kind: "exec"; readonly command: readonly string[] };

/** `podIp` is where the probes of the pod go unless they name another host. Throws INPUT_INVALID for a probe that asks nothing. */
export function probeTarget(probe: Probe, container: Container, podIp: string): ProbeTarget {
  if (probe.exec !== undefined) return { kind: "exec", command: probe.exec.command ?? [] };
  if (probe.httpGet !== undefined) {
    const { host, port, path, scheme, httpHeaders } = probe.httpGet;
    return {
      kind: "http",
      scheme: scheme === "HTTPS" ? "https" : "http",
      host: host || podIp,
      port: portOf(container, port),
      path: path === undefined || path === "" ? "/" : path.startsWith("/") ? path : `/${path}`,
      headers: (httpHeaders ?? []).map((header) => [header.name, header.value] as const),
    };
  }
  if (probe.tcpSocket !== undefined)
    return {
      kind: "tcp",
      host: probe.tcpSocket.host || podIp,
      port: portOf(container, probe.tcpSocket.port),
    };
  const grpc = (probe as { readonly grpc?: { readonly port: number; readonly service?: string } }).grpc;
  if (grpc !== undefined) return { kind: "grpc", host: podIp, port: grpc.port, service: grpc.service ?? "" };
  throw new MeshError(
    "INPUT_INVALID",
    `probe of ${container.name}: expected httpGet, tcpSocket, exec or grpc`,
  );
}

/** A number, or the name of one of the container's ports. */
function portOf(container: Container, port: number | string): number {
  const named = container.ports?.find((candidate) => candidate.name === port)?.containerPort;
  const number = named ?? Number(port);
  if (Number.isInteger(number) && number >= 1 && number <= 65535) return number;
  throw new MeshError(
    "INPUT_INVALID",
    `probe of ${container.name}: expected a port or a port's name, got ${port}`,
  );
}
