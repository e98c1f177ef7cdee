/** `istioctl analyze` (reference: l7-and-cli §3.5). */

import { describeError, MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { ANALYZERS, analyze, parseSuppression, type Suppression } from "../analyze/analyze.ts";
import { formatMessage, isAtLeast, type Level, type Message, messageDocument } from "../analyze/message.ts";
import { describeGaps } from "../mesh-objects/describe-gaps.ts";
import { loadCluster } from "../mesh-objects/load-cluster.ts";
import { loadFiles } from "../mesh-objects/load-files.ts";
import { type MeshObject, ObjectSet } from "../mesh-objects/object-set.ts";
import { renderStructured } from "../output/structured.ts";
import { STANDARD_INPUT } from "../validate/files.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { readBoolean, readDuration } from "./flag-values.ts";

interface AnalyzeFlags extends MeshFlags {
  readonly allNamespaces: boolean;
  readonly listAnalyzers: boolean;
  readonly useKube: boolean;
  readonly failureThreshold: Level;
  readonly outputThreshold: Level;
  readonly output: "log" | "json" | "yaml";
  readonly suppress: readonly Suppression[];
  readonly analyzer: readonly string[];
  readonly ignoreUnknown: boolean;
  readonly timeout: number;
}

/** Istio's exit codes: something was found; a file, or kinds of objects, could not be read. */
const FOUND_EXIT_CODE = 79;
const DATA_EXIT_CODE = 65;
const DEFAULT_TIMEOUT_MS = 30_000;

export function addAnalyzeCommand(program: Command, context: CommandContext): void {
  const command = meshOptions(program.command("analyze"))
    .description("look for mistakes in what runs, in files, or in files laid over what runs")
    .argument("[files...]", "files or folders of YAML and JSON, or - for standard input")
    .option("-A, --all-namespaces", "of all namespaces", false)
    .option("-L, --list-analyzers", "what is looked for", false)
    .addOption(
      new Option("-k, --use-kube [boolean]", "look at what runs, too").argParser(readBoolean).default(true),
    )
    .addOption(
      levelOption(
        "--failure-threshold <level>",
        "exit code 79 for messages of this level and above",
        "Error",
      ),
    )
    .addOption(levelOption("--output-threshold <level>", "show messages of this level and above", "Info"))
    .addOption(
      new Option("-o, --output <format>", "log, json or yaml")
        .choices(["log", "json", "yaml"])
        .default("log"),
    )
    .option(
      "-S, --suppress <rule>",
      "CODE=<Kind> <name>.<namespace>, with * for any text (repeatable)",
      (text, earlier: readonly Suppression[]) => [...earlier, parseSuppression(text)],
      [],
    )
    .option(
      "--analyzer <name>",
      "only this one (repeatable)",
      (text, earlier: readonly string[]) => [...earlier, text],
      [],
    )
    .option("--ignore-unknown", "pass over files that cannot be read as YAML", false)
    .addOption(
      new Option("--timeout <duration>", "how long to wait for the cluster")
        .argParser(readDuration)
        .default(DEFAULT_TIMEOUT_MS, "30s"),
    )
    // Istio's, which change nothing here: folders are always looked through, and colours follow the terminal.
    .addOption(new Option("-R, --recursive [boolean]").argParser(readBoolean).hideHelp())
    .addOption(new Option("--color [boolean]").argParser(readBoolean).hideHelp())
    .addOption(new Option("-v, --verbose [boolean]").argParser(readBoolean).hideHelp())
    .addOption(new Option("-r, --revision <name>").hideHelp())
    .action((files: readonly string[], flags: AnalyzeFlags) => run(files, flags, context));
  command.addHelpText(
    "after",
    "\nCodes IST are Istio's; codes MLT are of ambient mode. Without a cluster (--use-kube=false) only the files\nare known: a Service is missing (IST0101) where they hold others of its namespace; what a pod, a waypoint or a status would tell is not checked.\nAn object is left alone with the annotation galley.istio.io/analyze-suppress: <codes>.",
  );
  withExamples(command, program, [
    "$0 analyze -n shop",
    "$0 analyze -A --failure-threshold Warning",
    "$0 analyze --use-kube=false deploy/",
    '$0 analyze -n shop -S "IST0118=Service *.shop" new-policy.yaml',
  ]);
}

function levelOption(flags: string, about: string, preset: Level): Option {
  return new Option(flags, about).choices(["Info", "Warning", "Error"]).default(preset);
}

async function run(files: readonly string[], flags: AnalyzeFlags, context: CommandContext): Promise<void> {
  const { terminal } = context;
  if (flags.listAnalyzers) {
    for (const { name, about } of ANALYZERS) terminal.line(`* ${name}: ${about}`);
    return;
  }
  if (!flags.useKube && files.length === 0)
    throw new MeshError(
      "INPUT_INVALID",
      "expected files to look at, or a cluster: neither --use-kube nor a file was given",
    );
  const world = await load(files, flags, context);
  const namespace = flags.allNamespaces || !flags.useKube ? undefined : world.namespace;
  const messages = analyze(
    { objects: world.objects, rootNamespace: flags.istioNamespace, hasCluster: flags.useKube },
    {
      namespace,
      analyzers: flags.analyzer,
      outputThreshold: flags.outputThreshold,
      suppressions: flags.suppress,
    },
  );
  for (const problem of [...world.problems, ...world.gaps]) terminal.aside(problem);
  report(messages, namespace, files, flags, world, context);
  if (world.hasUnread || (world.problems.length > 0 && !flags.ignoreUnknown)) context.exit(DATA_EXIT_CODE);
  if (messages.some(({ type }) => isAtLeast(type.level, flags.failureThreshold)))
    context.exit(FOUND_EXIT_CODE);
}

interface World {
  readonly objects: ObjectSet;
  readonly namespace: string;
  /** Of files. */
  readonly problems: readonly string[];
  /** What of the cluster the user may not read. */
  readonly gaps: readonly string[];
  /** Whole kinds are not known. */
  readonly hasUnread: boolean;
}

async function load(files: readonly string[], flags: AnalyzeFlags, context: CommandContext): Promise<World> {
  const named = flags.namespace;
  const running = flags.useKube
    ? await loadRunning(flags, context)
    : { objects: [], namespace: named ?? "default", gaps: [], hasUnread: false };
  const namespace = named ?? running.namespace;
  const given = await loadFiles(files, namespace, context.stdin);
  return {
    objects: new ObjectSet([...running.objects, ...given.objects]),
    namespace,
    problems: given.problems,
    gaps: running.gaps,
    hasUnread: running.hasUnread,
  };
}

interface Running extends Pick<World, "namespace" | "gaps" | "hasUnread"> {
  readonly objects: readonly MeshObject[];
}

async function loadRunning(flags: AnalyzeFlags, context: CommandContext): Promise<Running> {
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(flags.timeout)]);
  return withMeshCluster(flags, context, async (cluster) => {
    try {
      const namespace = flags.namespace ?? cluster.client.defaultNamespace;
      const asked = flags.allNamespaces ? [] : [namespace, flags.istioNamespace];
      const loaded = await loadCluster({ client: cluster.client, signal }, asked);
      return {
        objects: [...loaded.objects.everything()],
        namespace,
        gaps: describeGaps(loaded, namespace),
        hasUnread: loaded.forbidden.length > 0,
      };
    } catch (error) {
      if (!signal.aborted || context.signal.aborted) throw error;
      throw new MeshError(
        "TIMEOUT",
        `list the cluster's objects: not done within ${flags.timeout} ms: ${describeError(error)}`,
      );
    }
  });
}

function report(
  messages: readonly Message[],
  namespace: string | undefined,
  files: readonly string[],
  flags: AnalyzeFlags,
  { hasUnread }: Pick<World, "hasUnread">,
  { terminal }: CommandContext,
): void {
  if (flags.output !== "log") {
    terminal.line(renderStructured(messages.map(messageDocument), flags.output));
    return;
  }
  for (const message of messages) terminal.line(coloured(message, terminal));
  const named = files.map((file) => (file === STANDARD_INPUT ? "standard input" : file));
  const subject =
    namespace !== undefined ? `namespace: ${namespace}` : flags.useKube ? "all namespaces" : named.join(" ");
  if (messages.length === 0)
    terminal.aside(
      hasUnread
        ? `\nNo validation issues found in what could be read when analyzing ${subject}. See above for what could not.`
        : `\n✔ No validation issues found when analyzing ${subject}.`,
    );
  else if (messages.some(({ type }) => isAtLeast(type.level, flags.failureThreshold)))
    terminal.aside(`Error: Analyzers found issues when analyzing ${subject}.`);
}

function coloured(message: Message, { red, bold }: CommandContext["terminal"]): string {
  const text = formatMessage(message);
  const { level } = message.type;
  const word = level === "Error" ? red(level) : level === "Warning" ? bold(level) : level;
  return word + text.slice(level.length);
}
