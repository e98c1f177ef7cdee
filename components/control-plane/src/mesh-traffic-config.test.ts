import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parse } from "yaml";
import { DEFAULT_TRAFFIC } from "./compile/l7/traffic-settings.ts";
import { readTrafficSettings } from "./mesh-traffic-config.ts";

const read = (yaml: string): ReturnType<typeof readTrafficSettings> => readTrafficSettings(parse(yaml) ?? {});

test("nothing said", () => assert.deepEqual(readTrafficSettings({}), DEFAULT_TRAFFIC));

test("values", () => {
  const settings = read(`
pathNormalization: {normalization: MERGE_SLASHES}
trustDomainAliases: [old.example]
connectTimeout: 3s
localityLbSetting: {enabled: false}
accessLogFile: /dev/stdout
accessLogEncoding: JSON
defaultHttpRetryPolicy: {attempts: 5, retryOn: "5xx"}
defaultProviders: {tracing: [otel], accessLogging: [file]}
defaultConfig: {tracing: {sampling: 10}}
`);
  assert.equal(settings.pathNormalization, "mergeSlashes");
  assert.deepEqual(settings.trustDomainAliases, ["old.example"]);
  assert.deepEqual([settings.connectTimeoutMs, settings.locality, settings.accessLog], [3000, false, true]);
  assert.equal(settings.accessLogFormat.kind, "json");
  assert.deepEqual([settings.defaultRetry.retries, settings.defaultRetry.on], [5, ["5xx"]]);
  assert.deepEqual(settings.defaultTracing, ["otel"]);
  assert.equal(settings.traceSamplingPercent, 10);
});

test("providers: authorizers, logs, collectors; those that waypoints have no use for are left out", () => {
  const { providers } = read(
    `
extensionProviders:
- name: opa
  envoyExtAuthzGrpc: {service: infra/opa.infra.svc.cluster.local, port: "9191"}
`.replace('"9191"', "9191"),
  );
  assert.deepEqual(providers, [
    {
      kind: "authorizer",
      name: "opa",
      service: { namespace: "infra", host: "opa.infra.svc.cluster.local", port: 9191 },
      authorizer: {
        protocol: "grpc",
        timeoutMs: 600_000,
        pathPrefix: "",
        failOpen: false,
        statusOnError: 403,
        clearRouteCache: false,
        includeRequestHeaders: [],
        includeAdditionalHeaders: [],
        headersToUpstreamOnAllow: [],
        headersToDownstreamOnDeny: [],
        headersToDownstreamOnAllow: [],
      },
    },
  ]);
  const http = read(`
extensionProviders:
- name: web
  envoyExtAuthzHttp:
    service: a.example
    port: 80
    timeout: 1s
    failOpen: true
    statusOnError: "503"
    includeHeadersInCheck: [X-Old]
    includeAdditionalHeadersInCheck: {X-More: "1"}
    includeRequestBodyInCheck: {maxRequestBytes: 10, allowPartialMessage: true}
- name: file
  envoyFileAccessLog: {path: /dev/stdout, logFormat: {labels: {code: "%RESPONSE_CODE%"}}}
- name: otel
  opentelemetry: {service: c.example, port: 4318, http: {path: /t}}
- name: zip
  zipkin: {service: z.example, port: 9411}
- name: sky
  skywalking: {service: s.example, port: 1}
`).providers;
  assert.deepEqual(
    http.map(({ kind, name }) => [kind, name]),
    [
      ["authorizer", "web"],
      ["accessLog", "file"],
      ["tracing", "otel"],
      ["tracing", "zip"],
    ],
  );
  const [web] = http;
  assert.ok(web?.kind === "authorizer");
  assert.deepEqual(web.authorizer.includeRequestHeaders, ["x-old"]);
  assert.deepEqual(web.authorizer.includeAdditionalHeaders, [["x-more", "1"]]);
  assert.deepEqual(web.authorizer.includeBody, { maxBytes: 10, allowPartial: true, asBytes: false });
  assert.deepEqual([web.authorizer.statusOnError, web.authorizer.failOpen], [503, true]);
});

describe("refused", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["pathNormalization: {normalization: SLASHES}", /pathNormalization\.normalization: expected DEFAULT/],
    ["connectTimeout: soon", /connectTimeout: expected a duration/],
    ["trustDomainAliases: old", /trustDomainAliases: expected a list of texts/],
    ["accessLogFile: 7", /accessLogFile: expected text/],
    ["{accessLogEncoding: JSON, accessLogFormat: '%X%'}", /accessLogFormat: expected a JSON object/],
    ["extensionProviders: {}", /extensionProviders: expected a list/],
    ["extensionProviders: [{}]", /extensionProviders\[0\]: expected an object with a name/],
    [
      "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: b}}]",
      /envoyExtAuthzHttp: expected a service and a port/,
    ],
    [
      "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: b, port: 80, statusOnError: 'no'}}]",
      /statusOnError: expected a status/,
    ],
    [
      "extensionProviders: [{name: a, envoyExtAuthzHttp: {service: b, port: 80, headersToUpstreamOnAllow: ['*']}}]",
      /headersToUpstreamOnAllow: expected a header name with at most one \*/,
    ],
    [
      "extensionProviders: [{name: a, envoyExtAuthzGrpc: {service: b, port: 80, includeAdditionalHeadersInCheck: {'a b': c}}}]",
      /includeAdditionalHeadersInCheck: expected header names/,
    ],
    ["defaultConfig: {tracing: {sampling: 101}}", /sampling: expected a number from 0 to 100/],
    ["defaultHttpRetryPolicy: {perTryTimeout: x}", /perTryTimeout: expected a duration/],
  ];
  for (const [yaml, says] of cases) test(yaml, () => assert.throws(() => read(yaml), says));
});
