/**
 * A delta ADS client that behaves as Istio's ztunnel does (reference: protocol §3.1), written from the protocol alone: it says what the
 * test says, and answers nothing by itself.
 */

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { eventually } from "@meltemi/testkit";
import { authorization, discovery, workload } from "@meltemi/wire";
import { ISTIOD_HOSTNAME } from "./foreign-istiod.fixture.ts";

type RequestFields = MessageInitShape<typeof discovery.DeltaDiscoveryRequestSchema>;

export interface ForeignAdsClient extends Disposable {
  readonly responses: discovery.DeltaDiscoveryResponse[];
  readonly ended: Promise<StatusObject>;
  send(fields: RequestFields): void;
  /** Waits for the next response that nobody took yet, of the type when one is given. */
  next(typeUrl?: string): Promise<discovery.DeltaDiscoveryResponse>;
  ack(response: discovery.DeltaDiscoveryResponse): void;
  nack(response: discovery.DeltaDiscoveryResponse, message: string): void;
}

export interface Target {
  readonly securePort: number;
  readonly rootPem: string;
}

export function openChannel({ securePort, rootPem }: Target): Client {
  return new Client(`127.0.0.1:${securePort}`, credentials.createSsl(Buffer.from(rootPem)), {
    "grpc.ssl_target_name_override": ISTIOD_HOSTNAME,
    "grpc.use_local_subchannel_pool": 1,
  });
}

export function callMetadata(token: string | undefined, clusterId = "Kubernetes"): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  metadata.set("clusterid", clusterId);
  return metadata;
}

/** As Istio's ztunnel of a pod `name` in istio-system presents itself. */
export function ztunnelNode(name: string, nodeName = "node-a"): NonNullable<RequestFields["node"]> {
  return {
    id: `ztunnel~10.0.0.9~${name}.istio-system~istio-system.svc.cluster.local`,
    metadata: {
      NAME: name,
      NAMESPACE: "istio-system",
      INSTANCE_IPS: "10.0.0.9",
      NODE_NAME: nodeName,
      CLUSTER_ID: "Kubernetes",
      ISTIO_VERSION: "1.30.3",
    },
  };
}

export function openStream(target: Target, token: string | undefined): ForeignAdsClient {
  const client = openChannel(target);
  const call = client.makeBidiStreamRequest(
    "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
    (bytes: Uint8Array) => Buffer.from(bytes),
    (bytes: Buffer) => fromBinary(discovery.DeltaDiscoveryResponseSchema, bytes),
    callMetadata(token),
  );
  const responses: discovery.DeltaDiscoveryResponse[] = [];
  const taken = new Set<discovery.DeltaDiscoveryResponse>();
  call.on("data", (response: discovery.DeltaDiscoveryResponse) => responses.push(response));
  call.on("error", () => undefined);
  const ended = new Promise<StatusObject>((resolve) => call.once("status", resolve));
  const send = (fields: RequestFields): void => {
    const message = create(discovery.DeltaDiscoveryRequestSchema, fields);
    call.write(toBinary(discovery.DeltaDiscoveryRequestSchema, message));
  };
  return {
    responses,
    ended,
    send,
    async next(typeUrl) {
      const found = await eventually(() =>
        responses.find((one) => !taken.has(one) && (typeUrl === undefined || one.typeUrl === typeUrl)),
      );
      taken.add(found);
      return found;
    },
    ack: ({ typeUrl, nonce }) => send({ typeUrl, responseNonce: nonce }),
    // As Istio's ztunnel: a message, and no code.
    nack: ({ typeUrl, nonce }, message) => send({ typeUrl, responseNonce: nonce, errorDetail: { message } }),
    [Symbol.dispose]() {
      call.cancel();
      client.close();
    },
  };
}

/** Names of the resources, in order. */
export function namesOf({ resources }: discovery.DeltaDiscoveryResponse): string[] {
  return resources.map(({ name }) => name);
}

/** Name → version of what a client would hold after the response. */
export function versionsOf({ resources }: discovery.DeltaDiscoveryResponse): Record<string, string> {
  return Object.fromEntries(resources.map(({ name, version }) => [name, version]));
}

export function readAddress(bytes: Uint8Array | undefined): workload.Address {
  return fromBinary(workload.AddressSchema, bytes ?? new Uint8Array());
}

export function readPolicy(bytes: Uint8Array | undefined): authorization.Authorization {
  return fromBinary(authorization.AuthorizationSchema, bytes ?? new Uint8Array());
}
