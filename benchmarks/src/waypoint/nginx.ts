/** nginx 1.22 of Debian as an HTTP proxy: one process, a location per prefix, kept connections; HTTP/1.1 to the application always. */

import { writeFileSync } from "node:fs";
import { type RunningProxy, type Site, startProxy } from "./proxies.ts";
import { APPLICATION_PORTS, ENTRIES, FEW_ROUTES, GROUP, GROUP_HEADER, servicePrefixes } from "./traffic.ts";

const FIRST_PORT = 8100;
/** For as long as the benchmark lasts; the default would close a connection after each 1000 requests. */
const MANY = 1_000_000_000;

export async function startNginx(site: Site): Promise<RunningProxy> {
  const path = `${site.folder}/nginx.conf`;
  writeFileSync(path, configuration(site.folder));
  return startProxy(site, {
    name: "nginx",
    command: ["nginx", "-e", `${site.folder}/nginx-error.log`, "-c", path],
    routes: FEW_ROUTES,
    entries: ["http1", "http2"],
    firstPort: FIRST_PORT,
  });
}

function configuration(folder: string): string {
  const upstream = (version: "v1" | "v2"): string => `
  upstream ${version} {
    server 127.0.0.1:${APPLICATION_PORTS[version]};
    keepalive 256;
    keepalive_requests ${MANY};
  }`;
  const locations = servicePrefixes(FEW_ROUTES).map(
    (prefix) => `
    location ${prefix} {
      limit_except GET POST { deny all; }
      proxy_pass http://$version;
    }`,
  );
  return `
daemon off;
master_process off;
error_log ${folder}/nginx-error.log warn;
pid ${folder}/nginx.pid;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path ${folder}/nginx-body;
  proxy_temp_path ${folder}/nginx-proxy;
  fastcgi_temp_path ${folder}/nginx-fastcgi;
  uwsgi_temp_path ${folder}/nginx-uwsgi;
  scgi_temp_path ${folder}/nginx-scgi;
  keepalive_requests ${MANY};
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $host;${upstream("v1")}${upstream("v2")}
  map $http_${GROUP_HEADER.replaceAll("-", "_")} $version {
    default v1;
    ${GROUP} v2;
  }
  server {
    listen 127.0.0.1:${FIRST_PORT + ENTRIES.http1};
    listen 127.0.0.1:${FIRST_PORT + ENTRIES.http2} http2;
    location / { return 403; }${locations.join("")}
  }
}
`;
}
