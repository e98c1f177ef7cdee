/** The CRDs of Gateway API that an ambient mesh needs, version 1.4: its standard channel, and the routes of streams. */

import { AGE, type Definition } from "../definition.ts";
import { list, type ObjectSchema, object } from "../schema/schema.ts";
import { GATEWAY_GROUP, group, kind, NAMESPACE, OBJECT_NAME } from "./common.ts";
import { GATEWAY_CLASS_SPEC, GATEWAY_CLASS_STATUS, GATEWAY_SPEC, GATEWAY_STATUS } from "./gateway.ts";
import { GRPC_ROUTE_SPEC, HTTP_ROUTE_SPEC, ROUTE_STATUS } from "./routes.ts";
import { TCP_ROUTE_SPEC, TLS_ROUTE_SPEC } from "./stream-routes.ts";

/** `gateway.networking.k8s.io` is a protected group: the server wants to know where the API was approved. */
const ANNOTATIONS = {
  "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/3328",
  "gateway.networking.k8s.io/bundle-version": "v1.4.0",
  "gateway.networking.k8s.io/channel": "standard",
};

const EXPERIMENTAL = { ...ANNOTATIONS, "gateway.networking.k8s.io/channel": "experimental" };

const COMMON = {
  group: GATEWAY_GROUP,
  categories: ["gateway-api"],
  annotations: ANNOTATIONS,
  specRequired: true,
};

const REFERENCE_GRANT_SPEC: ObjectSchema = object(
  {
    from: list(
      object(
        { group: group(), kind: kind(), namespace: NAMESPACE },
        { required: ["group", "kind", "namespace"] },
      ),
      { minItems: 1, maxItems: 16, listType: "atomic" },
    ),
    to: list(object({ group: group(), kind: kind(), name: OBJECT_NAME }, { required: ["group", "kind"] }), {
      minItems: 1,
      maxItems: 16,
      listType: "atomic",
    }),
  },
  { required: ["from", "to"] },
);

const HOSTNAMES = { name: "Hostnames", type: "string", jsonPath: ".spec.hostnames" } as const;

export const GATEWAY_API_DEFINITIONS: readonly Definition[] = [
  {
    ...COMMON,
    kind: "GatewayClass",
    plural: "gatewayclasses",
    shortNames: ["gc"],
    scope: "Cluster",
    versions: ["v1", "v1beta1"],
    columns: [
      { name: "Controller", type: "string", jsonPath: ".spec.controllerName" },
      { name: "Accepted", type: "string", jsonPath: '.status.conditions[?(@.type=="Accepted")].status' },
      AGE,
      { name: "Description", type: "string", jsonPath: ".spec.description", priority: 1 },
    ],
    spec: GATEWAY_CLASS_SPEC,
    status: GATEWAY_CLASS_STATUS,
  },
  {
    ...COMMON,
    kind: "Gateway",
    plural: "gateways",
    shortNames: ["gtw"],
    versions: ["v1", "v1beta1"],
    columns: [
      { name: "Class", type: "string", jsonPath: ".spec.gatewayClassName" },
      { name: "Address", type: "string", jsonPath: ".status.addresses[*].value" },
      { name: "Programmed", type: "string", jsonPath: '.status.conditions[?(@.type=="Programmed")].status' },
      AGE,
    ],
    spec: GATEWAY_SPEC,
    status: GATEWAY_STATUS,
  },
  {
    ...COMMON,
    kind: "HTTPRoute",
    plural: "httproutes",
    versions: ["v1", "v1beta1"],
    columns: [HOSTNAMES, AGE],
    spec: HTTP_ROUTE_SPEC,
    status: ROUTE_STATUS,
  },
  {
    ...COMMON,
    kind: "GRPCRoute",
    plural: "grpcroutes",
    versions: ["v1"],
    columns: [HOSTNAMES, AGE],
    spec: GRPC_ROUTE_SPEC,
    status: ROUTE_STATUS,
  },
  {
    ...COMMON,
    annotations: EXPERIMENTAL,
    kind: "TCPRoute",
    plural: "tcproutes",
    versions: ["v1alpha2"],
    columns: [AGE],
    spec: TCP_ROUTE_SPEC,
    status: ROUTE_STATUS,
  },
  {
    ...COMMON,
    annotations: EXPERIMENTAL,
    kind: "TLSRoute",
    plural: "tlsroutes",
    versions: ["v1alpha2"],
    columns: [HOSTNAMES, AGE],
    spec: TLS_ROUTE_SPEC,
    status: ROUTE_STATUS,
  },
  {
    ...COMMON,
    kind: "ReferenceGrant",
    plural: "referencegrants",
    shortNames: ["refgrant"],
    versions: ["v1beta1"],
    columns: [AGE],
    spec: REFERENCE_GRANT_SPEC,
    status: undefined,
  },
];
