/** What `waypoint list` and `waypoint status` print (reference: l7-and-cli §3.2). Pure. */

import type { Gateway } from "@meltemi/kubernetes";
import { stringify } from "yaml";
import { renderTable } from "../output/table.ts";
import { FOR_LABEL, isProgrammed, programmedCondition, REVISION_LABEL } from "./gateway.ts";

export type ReportFormat = "short" | "json" | "yaml";

export interface ReportOptions {
  readonly format: ReportFormat;
  readonly allNamespaces: boolean;
}

export function renderList(waypoints: readonly Gateway[], options: ReportOptions): readonly string[] {
  const entries = sorted(waypoints).map((gateway) => ({
    namespace: gateway.metadata?.namespace ?? "",
    name: gateway.metadata?.name ?? "",
    revision: gateway.metadata?.labels?.[REVISION_LABEL] ?? "default",
    // What it serves, not what it is labelled: without a label that is `service`.
    trafficType: gateway.metadata?.labels?.[FOR_LABEL] ?? "service",
    programmed: isProgrammed(gateway),
  }));
  if (options.format !== "short") return [asText(entries, options.format)];
  if (entries.length === 0) return ["No waypoints found."];
  return table(
    ["NAME", "REVISION", "TRAFFIC TYPE", "PROGRAMMED"],
    entries.map(({ namespace, name, revision, trafficType, programmed }) => ({
      namespace,
      cells: [name, revision, trafficType, programmed ? "True" : "False"],
    })),
    options,
  );
}

export function renderStatus(waypoints: readonly Gateway[], options: ReportOptions): readonly string[] {
  const entries = sorted(waypoints).map((gateway) => {
    const {
      status = "Unknown",
      type = "Unknown",
      reason = "Unknown",
      message = "",
    } = programmedCondition(gateway) ?? {};
    return {
      namespace: gateway.metadata?.namespace ?? "",
      name: gateway.metadata?.name ?? "",
      status,
      type,
      reason,
      message,
    };
  });
  if (options.format !== "short") return [asText(entries, options.format)];
  if (entries.length === 0) return ["No waypoints found."];
  return table(
    ["NAME", "STATUS", "TYPE", "REASON", "MESSAGE"],
    entries.map(({ namespace, name, status, type, reason, message }) => ({
      namespace,
      cells: [name, status, type, reason, message],
    })),
    options,
  );
}

function table(
  header: readonly string[],
  rows: readonly { readonly namespace: string; readonly cells: readonly string[] }[],
  { allNamespaces }: ReportOptions,
): readonly string[] {
  if (!allNamespaces)
    return renderTable(
      header,
      rows.map(({ cells }) => cells),
    );
  return renderTable(
    ["NAMESPACE", ...header],
    rows.map(({ namespace, cells }) => [namespace, ...cells]),
  );
}

function sorted(waypoints: readonly Gateway[]): readonly Gateway[] {
  const key = ({ metadata }: Gateway): string => `${metadata?.namespace}/${metadata?.name}`;
  return [...waypoints].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

function asText(value: unknown, format: "json" | "yaml"): string {
  return format === "json" ? JSON.stringify(value, undefined, 2) : stringify(value).trimEnd();
}
