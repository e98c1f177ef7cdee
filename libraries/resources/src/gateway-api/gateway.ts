/** Gateway and GatewayClass, gateway.networking.k8s.io/v1. */

import {
  type Fields,
  integer,
  list,
  map,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type Schema,
  text,
} from "../schema/schema.ts";
import {
  CONTROLLER_NAME,
  conditions,
  fieldsOf,
  GATEWAY_GROUP,
  group,
  HOSTNAME,
  kind,
  LABEL_SELECTOR,
  NAMESPACE,
  OBJECT_NAME,
  PORT,
  pendingConditions,
  SECTION_NAME,
} from "./common.ts";

const ROUTE_KIND: ObjectSchema = object(
  { group: group(GATEWAY_GROUP), kind: kind() },
  { required: ["kind"] },
);

function namespaces(defaultFrom: string, ...choices: readonly string[]): ObjectSchema {
  return object(
    { from: { ...oneOf(...choices), default: defaultFrom }, selector: LABEL_SELECTOR },
    { default: { from: defaultFrom } },
  );
}

const ALLOWED_ROUTES: ObjectSchema = object(
  {
    kinds: list(ROUTE_KIND, { maxItems: 8, listType: "atomic" }),
    namespaces: namespaces("Same", "All", "Selector", "Same"),
  },
  { default: { namespaces: { from: "Same" } } },
);

const SECRET_REF: ObjectSchema = object(
  { group: group(""), kind: kind("Secret"), name: OBJECT_NAME, namespace: NAMESPACE },
  { required: ["name"] },
);

const LISTENER_TLS: ObjectSchema = object(
  {
    mode: { ...oneOf("Terminate", "Passthrough"), default: "Terminate" },
    certificateRefs: list(SECRET_REF, { maxItems: 64, listType: "atomic" }),
    options: map(text({ maxLength: 4096 }), { maxProperties: 16 }),
  },
  {
    rules: [
      {
        message: "certificateRefs or options must be specified when mode is Terminate",
        cel: "self.mode != 'Terminate' || (has(self.certificateRefs) && size(self.certificateRefs) > 0) || (has(self.options) && size(self.options) > 0)",
        holds: ({ mode = "Terminate", certificateRefs, options }) =>
          mode !== "Terminate" || sizeOf(certificateRefs) > 0 || sizeOf(options) > 0,
      },
    ],
  },
);

function sizeOf(value: unknown): number {
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
}

const LISTENER: ObjectSchema = object(
  {
    name: SECTION_NAME,
    hostname: HOSTNAME,
    port: PORT,
    protocol: text({
      minLength: 1,
      maxLength: 255,
      pattern:
        "^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\\/[A-Za-z0-9]+$",
    }),
    tls: LISTENER_TLS,
    allowedRoutes: ALLOWED_ROUTES,
  },
  { required: ["name", "port", "protocol"] },
);

const eachListener =
  (test: (listener: Fields) => boolean) =>
  (listeners: readonly unknown[]): boolean =>
    fieldsOf(listeners).every(test);

const LISTENER_RULES: readonly Rule<readonly unknown[]>[] = [
  {
    message: "tls must not be specified for protocols ['HTTP', 'TCP', 'UDP']",
    cel: "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
    holds: eachListener(
      ({ protocol, tls }) => !["HTTP", "TCP", "UDP"].includes(String(protocol)) || tls === undefined,
    ),
  },
  {
    message: "tls mode must be Terminate for protocol HTTPS",
    cel: "self.all(l, l.protocol == 'HTTPS' && has(l.tls) ? l.tls.mode == 'Terminate' : true)",
    holds: eachListener(
      ({ protocol, tls }) => protocol !== "HTTPS" || tls === undefined || modeOf(tls) === "Terminate",
    ),
  },
  {
    message: "tls mode must be set for protocol TLS",
    cel: "self.all(l, l.protocol == 'TLS' ? has(l.tls) && has(l.tls.mode) : true)",
    holds: eachListener(({ protocol, tls }) => protocol !== "TLS" || tls !== undefined),
  },
  {
    message: "hostname must not be specified for protocols ['TCP', 'UDP']",
    cel: "self.all(l, l.protocol in ['TCP', 'UDP'] ? !has(l.hostname) : true)",
    holds: eachListener(
      ({ protocol, hostname }) => !["TCP", "UDP"].includes(String(protocol)) || hostname === undefined,
    ),
  },
  {
    message: "Combination of port, protocol and hostname must be unique for each listener",
    cel:
      "self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && " +
      "(has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))))",
    holds: (listeners) => {
      const places = fieldsOf(listeners).map(({ port, protocol, hostname }) =>
        JSON.stringify([port, protocol, hostname]),
      );
      return new Set(places).size === places.length;
    },
  },
];

function modeOf(tls: unknown): unknown {
  return (tls as Fields)["mode"] ?? "Terminate";
}

function address(required: readonly string[]): ObjectSchema {
  return object(
    { type: text({ minLength: 1, maxLength: 253, default: "IPAddress" }), value: text({ maxLength: 253 }) },
    required.length === 0 ? {} : { required },
  );
}

const PARAMETERS_REF: ObjectSchema = object(
  { group: group(), kind: kind(), name: OBJECT_NAME },
  { required: ["group", "kind", "name"] },
);

const INFRASTRUCTURE: ObjectSchema = object({
  labels: map(text({ maxLength: 63, pattern: "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$" }), {
    maxProperties: 8,
  }),
  annotations: map(text({ maxLength: 4096 }), { maxProperties: 16 }),
  parametersRef: PARAMETERS_REF,
});

export const GATEWAY_SPEC: ObjectSchema = object(
  {
    gatewayClassName: OBJECT_NAME,
    listeners: list(LISTENER, { minItems: 1, maxItems: 64, mapKeys: ["name"], rules: LISTENER_RULES }),
    addresses: list(address([]), { maxItems: 16, listType: "atomic" }),
    infrastructure: INFRASTRUCTURE,
    allowedListeners: object({ namespaces: namespaces("None", "All", "Selector", "Same", "None") }),
    /** Certificates towards clients and backends: no class of this mesh reads them yet. */
    tls: object({}, { open: true }),
  },
  { required: ["gatewayClassName", "listeners"] },
);

const GATEWAY_PENDING = ["Accepted", "Programmed"];

export const GATEWAY_STATUS: Schema = object(
  {
    addresses: list(address(["value"]), { maxItems: 16, listType: "atomic" }),
    attachedListenerSets: integer({ format: "int32" }),
    conditions: conditions({ pending: GATEWAY_PENDING }),
    listeners: list(
      object(
        {
          name: SECTION_NAME,
          attachedRoutes: integer({ format: "int32" }),
          supportedKinds: list(ROUTE_KIND, { maxItems: 8, listType: "atomic" }),
          conditions: conditions(),
        },
        { required: ["attachedRoutes", "conditions", "name"] },
      ),
      { maxItems: 64, mapKeys: ["name"] },
    ),
  },
  { default: { conditions: pendingConditions(GATEWAY_PENDING) } },
);

export const GATEWAY_CLASS_SPEC: ObjectSchema = object(
  {
    controllerName: CONTROLLER_NAME,
    description: text({ maxLength: 64 }),
    parametersRef: { ...PARAMETERS_REF, properties: { ...PARAMETERS_REF.properties, namespace: NAMESPACE } },
  },
  { required: ["controllerName"] },
);

export const GATEWAY_CLASS_STATUS: Schema = object(
  {
    conditions: conditions({ pending: ["Accepted"] }),
    supportedFeatures: list(object({ name: text() }, { required: ["name"] }), {
      maxItems: 64,
      mapKeys: ["name"],
    }),
  },
  { default: { conditions: pendingConditions(["Accepted"]) } },
);
