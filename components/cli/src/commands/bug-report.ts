/** `istioctl bug-report` (reference: l7-and-cli §3.6). */

import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { MeshError, systemClock } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { collectReport } from "../bug-report/collect.ts";
import { tarEnd, tarEntry } from "../bug-report/tar.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { adminPortOption } from "./dump-flags.ts";
import { withExamples } from "./examples.ts";
import { readCount, readDuration } from "./flag-values.ts";

interface ReportFlags extends MeshFlags {
  readonly proxyAdminPort: number;
  readonly outputDir: string;
  readonly tail: number;
  readonly timeout: number;
  readonly dryRun: boolean;
}

const FILE_NAME = "bug-report.tar.gz";
const DEFAULT_TIMEOUT_MS = 30 * 60_000;
const DEFAULT_TAIL_LINES = 2000;
/** Of all files together, before they are compressed: what fits into a mail afterwards. */
const REPORT_LIMIT_BYTES = 256 * 1024 * 1024;

export function addBugReportCommand(program: Command, context: CommandContext): void {
  const command = adminPortOption(meshOptions(program.command("bug-report")))
    .description("collect objects, logs and dumps of the mesh into one file; no Secrets, no tokens")
    .option("--output-dir <folder>", `where ${FILE_NAME} is written`, ".")
    .addOption(
      new Option("--tail <lines>", "lines of each log").argParser(readCount).default(DEFAULT_TAIL_LINES),
    )
    .addOption(
      new Option("--timeout <duration>", "stop collecting after")
        .argParser(readDuration)
        .default(DEFAULT_TIMEOUT_MS, "30m"),
    )
    .option("--dry-run", "say what would be collected", false)
    .action((flags: ReportFlags) => report(flags, context));
  withExamples(command, program, ["$0 bug-report", "$0 bug-report --output-dir /tmp --tail 500"]);
}

async function report(flags: ReportFlags, context: CommandContext): Promise<void> {
  const { terminal } = context;
  const path = join(flags.outputDir, FILE_NAME);
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(flags.timeout)]);
  await withMeshCluster(flags, { ...context, signal }, async (cluster) => {
    if (flags.dryRun) {
      for await (const { path: name } of collectReport(cluster, flags)) terminal.line(name);
      return;
    }
    try {
      const archive = Readable.from(entriesOf(cluster, flags, (name) => terminal.progress(`- ${name}`)));
      await pipeline(archive, createGzip(), createWriteStream(path, { mode: 0o600 }), { signal });
    } catch (error) {
      if (!signal.aborted || context.signal.aborted) throw error;
      throw new MeshError("TIMEOUT", `collect a bug report: not done within ${flags.timeout} ms`, {
        cause: error,
      });
    }
    terminal.progressEnd();
    terminal.line(
      `Created a report at ${path}. Look through it before you send it: objects and logs say how your services are called.`,
    );
  });
}

async function* entriesOf(
  cluster: MeshCluster,
  flags: ReportFlags,
  onFile: (name: string) => void,
): AsyncGenerator<Buffer> {
  const mtimeSeconds = Math.floor(systemClock.nowMs() / 1000);
  let bytes = 0;
  for await (const { path, text } of collectReport(cluster, flags)) {
    const content = Buffer.from(text);
    bytes += content.length;
    if (bytes > REPORT_LIMIT_BYTES) {
      const note = `The report ends here: it may have ${REPORT_LIMIT_BYTES} bytes. ${path} and what follows is left out.\n`;
      yield tarEntry({ path: "bug-report/TRUNCATED.txt", content: Buffer.from(note) }, mtimeSeconds);
      break;
    }
    onFile(path);
    yield tarEntry({ path: `bug-report/${path}`, content }, mtimeSeconds);
  }
  yield tarEnd();
}
