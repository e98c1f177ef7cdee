/** HAProxy 2.6 of Debian as an HTTP proxy: one thread, routes in maps, a pool of kept connections that all clients share. */

import { writeFileSync } from "node:fs";
import { type RunningProxy, type Site, startProxy } from "./proxies.ts";
import {
  APPLICATION_PORTS,
  ENTRIES,
  type Entry,
  FEW_ROUTES,
  GROUP,
  GROUP_HEADER,
  servicePrefixes,
} from "./traffic.ts";

const FIRST_PORT = 8200;
const ALL: readonly Entry[] = ["http1", "http2", "http2Both"];

/** Prefix to version: `map_beg` looks prefixes up in a tree. */
export async function startHaproxy(site: Site): Promise<RunningProxy> {
  const { folder } = site;
  const prefixes = servicePrefixes(FEW_ROUTES);
  for (const version of ["v1", "v2", "v1Http2", "v2Http2"] as const)
    writeFileSync(
      `${folder}/haproxy-${version}.map`,
      prefixes.map((prefix) => `${prefix} ${version}\n`).join(""),
    );
  const path = `${folder}/haproxy.cfg`;
  writeFileSync(path, configuration(folder));
  return startProxy(site, {
    name: "haproxy",
    // -db: in the foreground, one process.
    command: ["haproxy", "-db", "-f", path],
    routes: FEW_ROUTES,
    entries: ALL,
    firstPort: FIRST_PORT,
  });
}

function configuration(folder: string): string {
  const frontends = ALL.map((entry) => {
    const suffix = entry === "http2Both" ? "Http2" : "";
    return `
frontend ${entry}
  bind 127.0.0.1:${FIRST_PORT + ENTRIES[entry]}${entry === "http1" ? "" : " proto h2"}
  acl permitted path_beg /service-
  http-request deny deny_status 403 unless METH_GET permitted or METH_POST permitted
  acl grouped req.hdr(${GROUP_HEADER}) -m str ${GROUP}
  use_backend %[path,map_beg(${folder}/haproxy-v2${suffix}.map)] if grouped
  use_backend %[path,map_beg(${folder}/haproxy-v1${suffix}.map)]
`;
  });
  const backends = Object.entries(APPLICATION_PORTS).map(
    ([name, port]) => `
backend ${name}
  http-reuse always
  server application 127.0.0.1:${port}${name.endsWith("Http2") ? " proto h2" : ""}
`,
  );
  return `
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout connect 10s
  timeout client 1h
  timeout server 1h
${frontends.join("")}${backends.join("")}`;
}
