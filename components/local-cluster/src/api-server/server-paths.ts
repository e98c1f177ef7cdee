/** Paths of the server itself: discovery, version, health, OpenAPI, keys. */
import { aggregatedDiscovery, coreVersions, groupByName, groupList, resourceList } from "./discovery.ts";
import { parseAccept } from "./http/accept.ts";
import { type Answer, jsonAnswer, textAnswer } from "./http/respond.ts";
import type { JsonObject } from "./json.ts";
import { OPENAPI_V2_PROTOBUF, type OpenApi, openApiV2Head, wantsProtobuf } from "./openapi/documents.ts";
import { noSuchPath } from "./refusal.ts";
import type { Registry } from "./registry.ts";

export interface ServerPathsDeps {
  readonly registry: Registry;
  readonly openApi: OpenApi;
  readonly issuer: string;
  readonly jwk: JsonObject;
}

/** The release of Kubernetes whose API this server follows. */
const KUBERNETES_VERSION: JsonObject = {
  major: "1",
  minor: "32",
  gitVersion: "v1.32.4+meltemi",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "2025-01-01T00:00:00Z",
  goVersion: "go1.23.8",
  compiler: "gc",
  platform: "linux/amd64",
};

const HEALTH = new Set(["/healthz", "/livez", "/readyz"]);

/** @throws Refusal 404 for anything else */
export function serverPath(deps: ServerPathsDeps, path: string, accept: string, host: string): Answer {
  if (HEALTH.has(path)) return textAnswer(200, "ok");
  switch (path) {
    case "/version":
      return jsonAnswer(200, KUBERNETES_VERSION);
    case "/api":
      return wantsAggregated(accept) ? aggregated(deps.registry, true) : jsonAnswer(200, coreVersions(host));
    case "/apis":
      return wantsAggregated(accept)
        ? aggregated(deps.registry, false)
        : jsonAnswer(200, groupList(deps.registry));
    case "/openapi/v2":
      return wantsProtobuf(parseAccept(accept)[0]?.type)
        ? { code: 200, contentType: OPENAPI_V2_PROTOBUF, body: openApiV2Head() }
        : jsonAnswer(200, deps.openApi.v2());
    case "/openapi/v3":
      return jsonAnswer(200, deps.openApi.index());
    case "/.well-known/openid-configuration":
      return jsonAnswer(200, openIdConfiguration(deps.issuer));
    case "/openid/v1/jwks":
      return jsonAnswer(200, { keys: [deps.jwk] }, "application/jwk-set+json");
    case "/":
      return jsonAnswer(200, {
        paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"],
      });
    default:
      return nestedPath(deps, path);
  }
}

function nestedPath(deps: ServerPathsDeps, path: string): Answer {
  if (path.startsWith("/openapi/v3/")) {
    const document = deps.openApi.document(path.slice("/openapi/v3/".length));
    if (document !== undefined) return { code: 200, contentType: "application/json", body: document };
  }
  const [, root, ...rest] = path.split("/");
  const found =
    root === "api" && rest.length === 1
      ? resourceList(deps.registry, "", rest[0] ?? "")
      : root === "apis" && rest.length === 1
        ? groupByName(deps.registry, rest[0] ?? "")
        : root === "apis" && rest.length === 2
          ? resourceList(deps.registry, rest[0] ?? "", rest[1] ?? "")
          : undefined;
  if (found === undefined) throw noSuchPath();
  return jsonAnswer(200, found);
}

const AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

function wantsAggregated(accept: string): boolean {
  return parseAccept(accept).some(
    ({ parameters }) =>
      parameters.get("g") === "apidiscovery.k8s.io" &&
      parameters.get("v") === "v2" &&
      parameters.get("as") === "APIGroupDiscoveryList",
  );
}

function aggregated(registry: Registry, core: boolean): Answer {
  return jsonAnswer(200, aggregatedDiscovery(registry, core), AGGREGATED_TYPE);
}

function openIdConfiguration(issuer: string): JsonObject {
  return {
    issuer,
    jwks_uri: `${issuer}/openid/v1/jwks`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: ["RS256", "ES256"],
  };
}
