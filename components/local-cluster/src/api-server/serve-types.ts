/** What passes between the steps of serving a request on a stored resource. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "@meltemi/runtime";
import type { Stages } from "./admission/stages.ts";
import { formOf } from "./http/accept.ts";
import type { Target } from "./http/target.ts";
import type { UserInfo } from "./identity/user.ts";
import type { ServeLogs } from "./pod-logs.ts";
import type { Lister } from "./read/list.ts";
import type { Watches } from "./read/watch.ts";
import { Refusal } from "./refusal.ts";
import type { Served } from "./registry.ts";
import type { View } from "./render.ts";
import type { ReviewDeps } from "./reviews.ts";
import type { Cluster, WriteRequest } from "./write/context.ts";

export type ResourceTarget = Extract<Target, { kind: "resource" }>;

export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceExchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly user: UserInfo;
  readonly verb: Verb;
  readonly target: ResourceTarget;
}

export interface ServeDeps {
  readonly cluster: Cluster;
  readonly list: Lister;
  readonly watches: Watches;
  readonly reviews: ReviewDeps;
  readonly stages: Stages;
  readonly logs: ServeLogs;
  readonly clock: Clock;
  /** Refuses what the cluster cannot lose. */
  readonly refuseDelete: (request: WriteRequest, name: string) => void;
}

/** How the client asked to see what it gets. @throws Refusal 406 */
export function viewOf(deps: ServeDeps, exchange: ResourceExchange, served: Served): View {
  const form = formOf(exchange.request.headers.accept);
  if (form.kind === "unsupported") {
    const message =
      "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io";
    throw new Refusal(406, "NotAcceptable", message);
  }
  const include = exchange.url.searchParams.get("includeObject");
  const includeObject = include === "None" || include === "Object" ? include : "Metadata";
  return { served, form, includeObject, nowMs: () => deps.clock.nowMs() };
}
