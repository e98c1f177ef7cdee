/** What a process would expose: the functions that define its metrics are called with a registry that remembers. */

import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createRegistry, type MetricOptions, type Registry } from "../../libraries/telemetry/src/index.ts";

export const ROOT: string = join(import.meta.dirname, "..", "..");

export interface MetricFamily {
  /** As it stands in the exposition, counters with `_total`. */
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly labels: readonly string[];
  /** Istio promises to keep it. */
  readonly stable: boolean;
  /** Labels are those of {@link sharedSeries}: chosen series by series. */
  readonly shared: boolean;
  /** Path of the source file, from the root of the repository. */
  readonly definedIn: string;
}

export interface Recorder {
  readonly registry: Registry;
  readonly families: readonly MetricFamily[];
}

export function createRecorder(): Recorder {
  const families: MetricFamily[] = [];
  const registry = createRegistry();
  const note =
    (type: MetricFamily["type"], shared: boolean) =>
    <L extends string>(options: MetricOptions<L>): void => {
      families.push({
        name: exposedName(type, options),
        type,
        help: options.help,
        labels: options.labels ?? [],
        stable: options.stable === true,
        shared,
        definedIn: definer(),
      });
    };
  return {
    families,
    registry: {
      ...registry,
      counter(options) {
        note("counter", false)(options);
        return registry.counter(options);
      },
      gauge(options) {
        note("gauge", false)(options);
        return registry.gauge(options);
      },
      histogram(options) {
        note("histogram", false)(options);
        return registry.histogram(options);
      },
      sharedSeries(bounds) {
        const series = registry.sharedSeries(bounds);
        return {
          ...series,
          counter(options) {
            note("counter", true)(options);
            return series.counter(options);
          },
          histogram(options) {
            note("histogram", true)(options);
            return series.histogram(options);
          },
        };
      },
    },
  };
}

function exposedName(type: MetricFamily["type"], options: MetricOptions<string>): string {
  if (type !== "counter" || options.isForeignName === true || options.name.endsWith("_total"))
    return options.name;
  return `${options.name}_total`;
}

/** The nearest file on the stack that is no part of this tool. */
function definer(): string {
  const lines = (new Error().stack ?? "").split("\n");
  const file = lines
    .map((line) => /file:\/\/(\/[^:]+):/.exec(line)?.[1])
    .find((path) => path && !path.startsWith(import.meta.dirname));
  return file === undefined ? "" : relative(ROOT, file);
}

/** A family that a function with wider tasks defines on its way: read from the literal that it gives. */
export function literalFamily(path: string, name: string): MetricFamily {
  const source = readFileSync(join(ROOT, path), "utf8");
  const found = new RegExp(
    `\\.(counter|gauge|histogram)(?:<[^>]*>)?\\(\\{\\s*name: "${name}",\\s*help: "([^"]*)",(?:\\s*labels: \\[([^\\]]*)\\])?`,
  ).exec(source);
  if (found === null)
    throw new Error(`${path} defines no ${name} by a literal: adapt tools/reference/metrics.ts`);
  const [, type = "", help = "", labels = ""] = found;
  const options = { name, help, labels: [...labels.matchAll(/"([^"]+)"/g)].map(([, label = ""]) => label) };
  const kind = type as MetricFamily["type"];
  return {
    ...options,
    name: exposedName(kind, options),
    type: kind,
    stable: false,
    shared: false,
    definedIn: path,
  };
}
