/** The words after `meltemi cluster`. Pure. */

import { isAbsolute, join, normalize } from "node:path";
import { parseArgs } from "node:util";
import { MeshError } from "@meltemi/runtime";
import { MAX_NODES, parseClusterName } from "../network/addresses.ts";
import { STATE_ROOT } from "./state.ts";

export interface ClusterArguments {
  readonly command: "up" | "run" | "status" | "env" | "down" | "help";
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

const COMMANDS = ["up", "run", "status", "env", "down", "help"] as const;
const DEFAULT_NAME = "meltemi";
export const DEFAULT_API_PORT = 6443;
/** The kubelet's first restart delay. */
const DEFAULT_RESTART_BASE_MS = 10_000;

export const USAGE: string = `usage: meltemi cluster <command> [options]

  up       make the cluster, or bring it up again; waits until its nodes are ready
  status   what runs
  env      shell lines that set KUBECONFIG and PATH:  eval "$(meltemi cluster env)"
  down     remove it, without a trace

options
  --name NAME         name of the cluster (${DEFAULT_NAME})
  --state DIR         folder for its state (${STATE_ROOT}/NAME)
  --nodes N           number of nodes, for up (2)
  --api-port PORT     port of the API server on 127.0.0.1, for up (${DEFAULT_API_PORT})
  --zones A,B         zones of the nodes in turn, for up (none)
  --foreground        up: stay in this terminal instead of going to the background
  --keep-state        down: keep the state folder, so that up finds every object again
  -o json             status: for programs
`;

/** Throws INPUT_INVALID saying what was expected. */
export function parseClusterArguments(words: readonly string[]): ClusterArguments {
  const { values, positionals } = parse(words);
  const [word = "help", ...rest] = positionals;
  const command = values.help === true ? "help" : COMMANDS.find((candidate) => candidate === word);
  if (command === undefined || rest.length > 0)
    throw new MeshError("INPUT_INVALID", `${positionals.join(" ")}: expected one of ${COMMANDS.join(", ")}`);
  const name = parseClusterName(values.name ?? DEFAULT_NAME);
  return {
    command,
    name,
    state: parseStateFolder(values.state ?? join(STATE_ROOT, name)),
    nodes: values.nodes === undefined ? undefined : parseNumber("--nodes", values.nodes, 1, MAX_NODES),
    apiPort:
      values["api-port"] === undefined ? undefined : parseNumber("--api-port", values["api-port"], 1, 65_535),
    zones: parseZones(values.zones),
    foreground: values.foreground === true,
    keepState: values["keep-state"] === true,
    output: parseOutput(values.output),
    restartBaseMs: parseNumber(
      "--restart-base-ms",
      values["restart-base-ms"] ?? String(DEFAULT_RESTART_BASE_MS),
      1,
      300_000,
    ),
  };
}

function parse(words: readonly string[]) {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        name: { type: "string" },
        state: { type: "string" },
        nodes: { type: "string" },
        "api-port": { type: "string" },
        "restart-base-ms": { type: "string" },
        zones: { type: "string" },
        foreground: { type: "boolean" },
        "keep-state": { type: "boolean" },
        output: { type: "string", short: "o" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", cause instanceof Error ? cause.message : String(cause));
  }
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
