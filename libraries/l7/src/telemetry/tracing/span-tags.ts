/** What spans are tagged with: Envoy's tags, Istio's, and those of the configuration (reference: l7-and-cli §5.6). */

import type { Workload } from "@meltemi/model";
import type { TracingSettings } from "@meltemi/model/l7";
import type { RequestRecord } from "../../proxy/request-record.ts";
import { hostOf, socketAddress, unicode } from "../attributes/common-attributes.ts";
import { grpcStatus } from "../metrics/request-meter.ts";
import type { TelemetryNode } from "../telemetry-node.ts";

export type Tag = (name: string, value: string) => void;

/** As Istio's `maxTagLength`. */
const MAX_TAG_LENGTH = 256;

/** Those that are the same for every span of the process. */
export function nodeTags(node: TelemetryNode, tag: Tag): void {
  tag("component", "proxy");
  tag("node_id", `${node.name}.${node.namespace}`);
  tag("istio.canonical_service", node.canonicalService);
  tag("istio.canonical_revision", node.canonicalRevision);
  tag("istio.mesh_id", node.meshId);
  tag("istio.namespace", node.namespace);
  tag("istio.cluster_id", node.clusterId);
}

/** Of the workload at one end. */
export function workloadTags(end: "source" | "destination", workload: Workload, tag: Tag): void {
  tag(`istio.${end}_workload`, workload.workloadName);
  tag(`istio.${end}_workload_type`, workload.workloadType);
  tag(`istio.${end}_namespace`, workload.namespace);
  tag(`istio.${end}_app`, workload.canonicalName);
  tag(`istio.${end}_app_version`, workload.canonicalRevision);
  tag(`istio.${end}_canonical_service`, workload.canonicalName);
  tag(`istio.${end}_canonical_revision`, workload.canonicalRevision);
  tag(`istio.${end}_cluster_id`, workload.clusterId);
  tag(`istio.${end}_instance_name`, workload.name);
}

export function requestTags(record: RequestRecord, tag: Tag): void {
  const { context, upstream } = record;
  const { request, caller } = context;
  const { headers } = request;
  const url = `${request.scheme}://${request.authority}${request.path}`;
  tag("http.url", tagText(url));
  tag("http.method", tagText(request.method));
  tag("http.protocol", request.version);
  tag("http.status_code", String(record.responseCode));
  tag("user_agent", tagText(headers.get("user-agent") ?? "-"));
  tag("guid:x-request-id", tagText(headers.get("x-request-id") ?? ""));
  tag("request_size", String(record.requestBytes));
  tag("response_size", String(record.responseBytes));
  tag("response_flags", record.responseFlags.join(",") || "-");
  tag("peer.address", socketAddress(caller.ip, caller.port));
  if (upstream !== undefined) {
    tag("upstream_cluster", upstream.cluster);
    if (upstream.endpoint !== undefined) tag("upstream_address", hostOf(upstream.endpoint));
  }
  if (record.grpc !== undefined) {
    tag("grpc.path", tagText(context.path));
    tag("grpc.status_code", String(grpcStatus(record) ?? ""));
  }
  if (isError(record)) tag("error", "true");
}

/** The answer is a failure of the mesh's or the service's, or there was none. */
export function isError(record: RequestRecord): boolean {
  return record.responseCode >= 500 || record.responseCode === 0;
}

type CustomTag = TracingSettings["customTags"][number];

export function customTags(tags: readonly CustomTag[], record: RequestRecord, tag: Tag): void {
  for (const { name, from } of tags) {
    const value =
      from.kind === "literal" ? from.value : (headerOf(record, from.name.toLowerCase()) ?? from.fallback);
    if (value !== undefined) tag(name, value.slice(0, MAX_TAG_LENGTH));
  }
}

function headerOf({ context }: RequestRecord, name: string): string | undefined {
  const value = context.request.headers.get(name);
  return value === undefined ? undefined : unicode(value);
}

function tagText(wire: string): string {
  return unicode(wire.slice(0, MAX_TAG_LENGTH));
}
