/** What `meltemi cluster` understands, and the text that says so. Pure. */

import { STATE_ROOT } from "./state.ts";

export const DEFAULT_NAME = "meltemi";
export const DEFAULT_API_PORT = 6443;

export type Command = "up" | "run" | "status" | "env" | "down" | "help";

/** In the order of the help. `run` is what `up` starts in the background, and nobody's to call. */
export const COMMANDS: Readonly<Record<Exclude<Command, "run" | "help">, string>> = {
  up: "make the cluster, or bring it up again; waits until its nodes are ready",
  status: "what runs",
  env: 'shell lines that set KUBECONFIG and PATH:  eval "$(meltemi cluster env)"',
  down: "remove it, without a trace",
};

export type OptionName =
  | "name"
  | "state"
  | "nodes"
  | "api-port"
  | "zones"
  | "foreground"
  | "keep-state"
  | "output"
  | "restart-base-ms"
  | "help";

export interface Option {
  readonly name: OptionName;
  readonly short?: string;
  /** Name of the value in the help; an option without one is a switch. */
  readonly value?: string;
  readonly commands: readonly Command[];
  /** Options without a text are for the cluster's own processes, and for tests. */
  readonly text?: string;
}

const ALL: readonly Command[] = ["up", "run", "status", "env", "down", "help"];

export const OPTIONS: readonly Option[] = [
  { name: "name", value: "NAME", commands: ALL, text: `name of the cluster (${DEFAULT_NAME})` },
  { name: "state", value: "DIR", commands: ALL, text: `folder for its state (${STATE_ROOT}/NAME)` },
  { name: "nodes", value: "N", commands: ["up"], text: "number of nodes (2)" },
  {
    name: "api-port",
    value: "PORT",
    commands: ["up"],
    text: `port of the API server on 127.0.0.1 (${DEFAULT_API_PORT})`,
  },
  { name: "zones", value: "A,B", commands: ["up"], text: "zones of the nodes in turn (none)" },
  { name: "foreground", commands: ["up"], text: "stay in this terminal instead of going to the background" },
  {
    name: "keep-state",
    commands: ["down"],
    text: "keep the state folder, so that up finds every object again",
  },
  { name: "output", short: "o", value: "json", commands: ["status"], text: "for programs" },
  { name: "restart-base-ms", value: "MS", commands: ["up", "run"] },
  { name: "help", short: "h", commands: ALL, text: "this text" },
];

/** The options that a command takes, as they are written. */
export function optionsOf(command: Command): readonly Option[] {
  return OPTIONS.filter(({ commands }) => commands.includes(command));
}

/** Of one command, or of all. */
export function renderUsage(topic: Command | undefined): string {
  const told = Object.entries(COMMANDS);
  const about = told.find(([name]) => name === topic);
  if (about !== undefined)
    return [
      `usage: meltemi cluster ${about[0]} [options]`,
      "",
      about[1],
      "",
      "options",
      ...optionLines(optionsOf(about[0] as Command), false),
      "",
    ].join("\n");
  return [
    "usage: meltemi cluster <command> [options]",
    "",
    ...told.map(([name, text]) => `  ${name.padEnd(8)} ${text}`),
    "",
    "options",
    ...optionLines(OPTIONS, true),
    "",
    "meltemi cluster <command> --help tells of one command alone",
    "",
  ].join("\n");
}

function optionLines(options: readonly Option[], sayCommand: boolean): string[] {
  return options.flatMap((option) => {
    if (option.text === undefined) return [];
    const [only, ...others] = option.commands.filter((command) => command !== "run");
    const command = sayCommand && others.length === 0 ? `${only}: ` : "";
    return [`  ${written(option).padEnd(20)}${command}${option.text}`];
  });
}

/** `--name NAME`, `-o json`, `--foreground`. */
export function written({ name, short, value }: Option): string {
  const flag = short !== undefined && value !== undefined ? `-${short}` : `--${name}`;
  return value === undefined ? flag : `${flag} ${value}`;
}
