/** What a waypoint tells of its traffic: metrics, an access log, spans. One per process; each served service has its own settings. */

import type { TelemetrySettings } from "@meltemi/model/l7";
import type { Clock, Timer } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import type { RequestObserver, RequestTracer } from "../proxy/request-record.ts";
import type { TcpObserver } from "../tcp/tcp-site.ts";
import { compileAccessLog } from "./access-log/access-log.ts";
import { LabelIndex } from "./metrics/label-index.ts";
import { compileMetricPlans } from "./metrics/label-plan.ts";
import { createMetricFamilies, SWEEP_INTERVAL_MS } from "./metrics/metric-families.ts";
import { RequestMeter } from "./metrics/request-meter.ts";
import { TcpMeter } from "./metrics/tcp-meter.ts";
import type { TelemetryNode } from "./telemetry-node.ts";
import { type PostSpans, Tracing } from "./tracing/tracing.ts";

/** How often what flows on live connections is counted (Istio's `reportingInterval`). */
const TCP_FLUSH_INTERVAL_MS = 5000;

export interface TelemetryDeps {
  readonly registry: Registry;
  readonly clock: Clock;
  /** 0 ≤ n < 1. */
  readonly random: () => number;
  /** Takes whole lines, newline included, in the order of requests' ends; must not throw, and buffers or drops at a bound of its own. */
  readonly writeAccessLog: (line: string) => void;
  readonly postSpans: PostSpans;
  readonly node: TelemetryNode;
}

export interface Telemetry {
  /** The same settings object gives the same observers: compiled once. */
  forService(settings: TelemetrySettings): ServiceTelemetry;
  /** Counts what is not counted yet, sends the spans that wait, and stops all timers. */
  close(): Promise<void>;
}

/** What the sites of one service are given. */
export interface ServiceTelemetry {
  readonly requests: RequestObserver;
  readonly connections: TcpObserver;
  /** Undefined: nothing is traced. */
  readonly tracer: RequestTracer | undefined;
  /** What of the settings is not kept, in words for whoever wrote them. */
  readonly problems: readonly string[];
}

export function createTelemetry(deps: TelemetryDeps): Telemetry {
  return new WaypointTelemetry(deps);
}

class WaypointTelemetry implements Telemetry {
  readonly #deps: TelemetryDeps;
  readonly #families: ReturnType<typeof createMetricFamilies>;
  readonly #tracing: Tracing;
  readonly #index = new LabelIndex();
  readonly #services = new WeakMap<TelemetrySettings, ServiceTelemetry>();
  /** Also of settings that were replaced, until their last connection ends. */
  readonly #tcpMeters = new Set<TcpMeter>();
  #flushTimer: Timer;
  #sweepTimer: Timer;

  constructor(deps: TelemetryDeps) {
    this.#deps = deps;
    this.#families = createMetricFamilies(deps.registry);
    this.#tracing = new Tracing(deps);
    this.#flushTimer = this.#scheduleFlush();
    this.#sweepTimer = this.#scheduleSweep();
  }

  forService(settings: TelemetrySettings): ServiceTelemetry {
    const known = this.#services.get(settings);
    if (known !== undefined) return known;
    const made = this.#compile(settings);
    this.#services.set(settings, made);
    return made;
  }

  async close(): Promise<void> {
    this.#flushTimer.cancel();
    this.#sweepTimer.cancel();
    this.#flush();
    await this.#tracing.close();
  }

  #compile(settings: TelemetrySettings): ServiceTelemetry {
    const plans = compileMetricPlans(settings.metrics);
    const requestMeter = new RequestMeter(this.#index, this.#families, plans);
    const tcpMeter = new TcpMeter(this.#index, this.#families, plans);
    const problems = [...plans.problems];
    const { node, writeAccessLog } = this.#deps;
    const log = compileAccessLog(settings.accessLog, node.name, writeAccessLog, problems);
    return {
      requests: {
        onComplete(record) {
          requestMeter.count(record);
          log?.request(record);
        },
      },
      connections: {
        onOpened: (record, live) => {
          this.#tcpMeters.add(tcpMeter);
          tcpMeter.opened(record, live);
        },
        onComplete(record) {
          tcpMeter.closed(record);
          log?.connection(record);
        },
      },
      tracer: this.#tracing.tracer(settings.tracing),
      problems,
    };
  }

  #flush(): void {
    for (const meter of this.#tcpMeters) {
      meter.flush();
      if (!meter.hasLive) this.#tcpMeters.delete(meter);
    }
  }

  #scheduleFlush(): Timer {
    return this.#deps.clock.after(TCP_FLUSH_INTERVAL_MS, () => {
      this.#flush();
      this.#flushTimer = this.#scheduleFlush();
    });
  }

  #scheduleSweep(): Timer {
    return this.#deps.clock.after(SWEEP_INTERVAL_MS, () => {
      this.#index.renew(this.#families.series.sweep());
      this.#sweepTimer = this.#scheduleSweep();
    });
  }
}
