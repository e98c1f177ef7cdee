/** A connection as those see it who look at requests. */

import { HeaderFields } from "@meltemi/http";
import type { RequestContext } from "../request-context.ts";
import type { ClientConnectionFacts } from "./tcp-site.ts";

/** Load balancers look at requests; a connection has none, but comes from somewhere. */
export function connectionContext({
  caller,
  destination,
  serverName,
}: ClientConnectionFacts): RequestContext {
  return {
    request: {
      version: "HTTP/1.1",
      method: "CONNECT",
      scheme: "",
      authority: "",
      path: "",
      headers: new HeaderFields(),
      expectsContinue: false,
    },
    caller,
    destination,
    serverName,
    path: "",
    token: undefined,
    metadata: new Map(),
  };
}
