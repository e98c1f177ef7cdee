/** The HTTP endpoints of a proxy (reference: protocol §8.1). */

import type { LogFilter, Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import { type HttpAnswer, type HttpRequest, type HttpServer, startHttpServer } from "./http.ts";
import { changeLogLevels } from "./log-levels.ts";
import { type Readiness, readinessAnswer } from "./readiness.ts";

export interface AdminServersOptions {
  /** Title of the page at `/`: `ztunnel`, `waypoint`. */
  readonly component: string;
  readonly adminPort: number;
  readonly statsPort: number;
  /** Another port with the same statistics, for scrapers that know Envoy's 15090. */
  readonly secondStatsPort?: number;
  readonly readinessPort: number;
  /** Address of the stats and readiness servers; the admin server is on loopback always. */
  readonly host: string;
  /** `RUST_LOG`, to which a reset of the log levels goes back. */
  readonly logFilter: string;
}

export interface AdminServersDeps {
  readonly logger: Logger;
  readonly filter: LogFilter;
  readonly registry: Registry;
  readonly readiness: Readiness;
  readonly dump: () => unknown;
  readonly quit: () => void;
}

export interface AdminServers {
  readonly adminPort: number;
  readonly statsPort: number;
  readonly secondStatsPort?: number;
  readonly readinessPort: number;
  close(): Promise<void>;
}

/** Starts all or none; rejects when a port is taken. */
export async function startAdminServers(
  options: AdminServersOptions,
  deps: AdminServersDeps,
): Promise<AdminServers> {
  const opened: HttpServer[] = [];
  const open = async (
    host: string,
    port: number,
    handle: (request: HttpRequest) => HttpAnswer,
  ): Promise<number> => {
    const server = await startHttpServer({ host, port }, handle, deps.logger.scope("admin"));
    opened.push(server);
    return server.port;
  };
  const close = async (): Promise<void> => {
    await Promise.all(opened.map((server) => server.close()));
  };
  try {
    return {
      adminPort: await open("127.0.0.1", options.adminPort, (request) => admin(options, deps, request)),
      statsPort: await open(options.host, options.statsPort, (request) => stats(deps, request)),
      ...(options.secondStatsPort !== undefined && {
        secondStatsPort: await open(options.host, options.secondStatsPort, (request) => stats(deps, request)),
      }),
      readinessPort: await open(options.host, options.readinessPort, (request) => ready(deps, request)),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function admin(options: AdminServersOptions, deps: AdminServersDeps, request: HttpRequest): HttpAnswer {
  switch (request.path) {
    case "/":
      return { status: 200, body: dashboard(options.component), contentType: "text/html; charset=utf-8" };
    case "/config_dump":
      return { status: 200, body: JSON.stringify(deps.dump(), null, 2), contentType: "application/json" };
    case "/logging":
      return changeLogLevels(deps.filter, options.logFilter, request.method, request.query);
    case "/quitquitquit":
      if (request.method !== "POST") return { status: 405, body: "Invalid HTTP method\n" };
      deps.quit();
      return { status: 200, body: "shutdown now\n" };
    default:
      return NOT_FOUND;
  }
}

function stats(deps: AdminServersDeps, request: HttpRequest): HttpAnswer {
  if (request.path !== "/metrics" && request.path !== "/stats/prometheus") return NOT_FOUND;
  if (request.method !== "GET") return { status: 405, body: "Invalid HTTP method\n" };
  const { contentType, pieces } = deps.registry.expositionPieces(request.headers.accept);
  return { status: 200, contentType, body: pieces };
}

function ready(deps: AdminServersDeps, request: HttpRequest): HttpAnswer {
  if (request.path !== "/healthz/ready") return NOT_FOUND;
  if (request.method !== "GET") return { status: 405, body: "Invalid HTTP method\n" };
  return readinessAnswer(deps.readiness.pending());
}

const NOT_FOUND: HttpAnswer = { status: 404, body: "Not Found\n" };

function dashboard(component: string): string {
  return `<!DOCTYPE html>
<html lang="en"><head><title>${component}</title></head><body>
<h1>${component}</h1>
<ul>
<li><a href="/config_dump">/config_dump</a>: what this proxy knows and does</li>
<li>POST /logging: show or change log levels</li>
<li>POST /quitquitquit: drain and leave</li>
</ul>
</body></html>
`;
}
