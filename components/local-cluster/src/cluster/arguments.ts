/** The words after `meltemi cluster`. Pure. */

import { isAbsolute, join, normalize } from "node:path";
import { MeshError } from "@meltemi/runtime";
import { MAX_NODES, parseClusterName } from "../network/addresses.ts";
import { readOptions, type Values } from "./options.ts";
import { STATE_ROOT } from "./state.ts";
import { type Command, DEFAULT_NAME } from "./usage.ts";

export interface ClusterArguments {
  readonly command: Command;
  /** The command that help is wanted for. */
  readonly topic?: Command;
  readonly name: string;
  readonly state: string;
  /** Undefined: as many as the cluster has, two for a new one. */
  readonly nodes: number | undefined;
  /** Undefined: the one that the cluster has. */
  readonly apiPort: number | undefined;
  /** `topology.kubernetes.io/zone` of the nodes, in turn; none when empty. */
  readonly zones: readonly string[];
  readonly foreground: boolean;
  readonly keepState: boolean;
  readonly output: "text" | "json";
  /** First delay of restarts, for tests. */
  readonly restartBaseMs: number;
}

/** The kubelet's first restart delay. */
const DEFAULT_RESTART_BASE_MS = 10_000;

/** Throws INPUT_INVALID saying what was expected. */
export function parseClusterArguments(words: readonly string[]): ClusterArguments {
  const { command, topic, values } = readOptions(words);
  return { command, ...(topic === undefined ? {} : { topic }), ...parseValues(values) };
}

function parseValues(values: Values): Omit<ClusterArguments, "command" | "topic"> {
  const name = parseClusterName(values.name ?? DEFAULT_NAME);
  return {
    name,
    state: parseStateFolder(values.state ?? join(STATE_ROOT, name)),
    nodes: values.nodes === undefined ? undefined : parseNumber("--nodes", values.nodes, 1, MAX_NODES),
    apiPort:
      values["api-port"] === undefined ? undefined : parseNumber("--api-port", values["api-port"], 1, 65_535),
    zones: parseZones(values.zones),
    foreground: values.foreground !== undefined,
    keepState: values["keep-state"] !== undefined,
    output: parseOutput(values.output),
    restartBaseMs: parseNumber(
      "--restart-base-ms",
      values["restart-base-ms"] ?? String(DEFAULT_RESTART_BASE_MS),
      1,
      300_000,
    ),
  };
}

/** The path stands in mount options, where some characters mean something else. */
function parseStateFolder(path: string): string {
  const clean = normalize(path).replace(/(.)\/$/, "$1");
  if (isAbsolute(clean) && /^[A-Za-z0-9._/@+-]+$/.test(clean) && clean.split("/").length > 2) return clean;
  throw new MeshError(
    "INPUT_INVALID",
    `--state ${JSON.stringify(path)}: expected an absolute path of letters, digits and . _ @ + -, at least two folders deep`,
  );
}

/** Zones are values of a label (Kubernetes, "labels and selectors"). */
function parseZones(text: string | undefined): readonly string[] {
  const zones = text === undefined ? [] : text.split(",");
  const wrong = zones.find((zone) => !/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(zone));
  if (wrong === undefined) return zones;
  throw new MeshError("INPUT_INVALID", `--zones: expected label values, got ${JSON.stringify(wrong)}`);
}

function parseNumber(option: string, text: string, min: number, max: number): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new MeshError("INPUT_INVALID", `${option} ${text}: expected a whole number from ${min} to ${max}`);
}

function parseOutput(text: string | undefined): "text" | "json" {
  if (text === undefined) return "text";
  if (text === "json") return "json";
  throw new MeshError("INPUT_INVALID", `-o ${text}: expected json`);
}
