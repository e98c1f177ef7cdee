/** Envoy, where the machine has it: one worker, routes in one virtual host, an RBAC filter. Never installed by this project. */

import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { type RunningProxy, type Site, startProxy } from "./proxies.ts";
import {
  APPLICATION_PORTS,
  ENTRIES,
  type Entry,
  FEW_ROUTES,
  GROUP,
  GROUP_HEADER,
  servicePrefixes,
  type Version,
} from "./traffic.ts";

const FIRST_PORT = 8300;
const ALL: readonly Entry[] = ["http1", "http2", "http2Both"];
const TYPES = "type.googleapis.com/envoy.extensions";

/** `ENVOY_BINARY`, or the first `envoy` on PATH. */
export function findEnvoy(environment: NodeJS.ProcessEnv): string | undefined {
  const { ENVOY_BINARY: named, PATH = "" } = environment;
  if (named !== undefined && named !== "") return named;
  return PATH.split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, "envoy"))
    .find((path) => existsSync(path));
}

export async function startEnvoy(site: Site, binary: string): Promise<RunningProxy> {
  const path = `${site.folder}/envoy.json`;
  writeFileSync(path, JSON.stringify(configuration()));
  return startProxy(site, {
    name: "envoy",
    command: [binary, "-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"],
    routes: FEW_ROUTES,
    entries: ALL,
    firstPort: FIRST_PORT,
  });
}

function configuration(): object {
  return {
    static_resources: {
      listeners: ALL.map((entry) => ({
        name: entry,
        address: address(FIRST_PORT + ENTRIES[entry]),
        filter_chains: [{ filters: [connectionManager(entry)] }],
      })),
      clusters: Object.entries(APPLICATION_PORTS).map(([name, port]) => cluster(name, port)),
    },
  };
}

const address = (port: number): object => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function connectionManager(entry: Entry): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: entry,
      codec_type: "AUTO",
      route_config: { virtual_hosts: [{ name: "reviews", domains: ["*"], routes: routes(entry) }] },
      http_filters: [
        {
          name: "envoy.filters.http.rbac",
          typed_config: { "@type": `${TYPES}.filters.http.rbac.v3.RBAC`, rules: permitted() },
        },
        {
          name: "envoy.filters.http.router",
          typed_config: { "@type": `${TYPES}.filters.http.router.v3.Router` },
        },
      ],
    },
  };
}

function routes(entry: Entry): readonly object[] {
  const suffix = entry === "http2Both" ? "Http2" : "";
  const to = (version: Version): object => ({ route: { cluster: `${version}${suffix}` } });
  const headers = [{ name: GROUP_HEADER, string_match: { exact: GROUP } }];
  return servicePrefixes(FEW_ROUTES).flatMap((prefix) => [
    { match: { prefix, headers }, ...to("v2") },
    { match: { prefix }, ...to("v1") },
  ]);
}

function permitted(): object {
  const methods = ["GET", "POST"].map((exact) => ({
    header: { name: ":method", string_match: { exact } },
  }));
  const path = { url_path: { path: { prefix: "/service-" } } };
  const permission = { and_rules: { rules: [{ or_rules: { rules: methods } }, path] } };
  return {
    action: "ALLOW",
    policies: { callers: { permissions: [permission], principals: [{ any: true }] } },
  };
}

function cluster(name: string, port: number): object {
  const isHttp2 = name.endsWith("Http2");
  const options = `${TYPES}.upstreams.http.v3.HttpProtocolOptions`;
  return {
    name,
    type: "STATIC",
    connect_timeout: "5s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }],
    },
    ...(isHttp2 && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": options,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
}
