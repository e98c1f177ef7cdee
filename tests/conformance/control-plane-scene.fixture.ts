/** Our control plane over a real API server, and clients that do as Istio's ztunnel (reference: protocol §3.1). */

import { PODS, SERVICES } from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import {
  createRunningPod,
  createToken,
  ensureNamespace,
  startCluster,
  startControlPlane,
  type TestCluster,
  type TestControlPlane,
  uniqueName,
} from "../integration/control-plane.fixture.ts";
import { type ForeignAdsClient, openStream, versionsOf, ztunnelNode } from "./foreign-ads-client.fixture.ts";
import { ADDRESS, AUTHORIZATION } from "./foreign-istiod.fixture.ts";

type Response = Awaited<ReturnType<ForeignAdsClient["next"]>>;

export const NODE: ReturnType<typeof ztunnelNode> = ztunnelNode("ztunnel-a");
/** Of a node without pods: a client on demand is told of its own node's unasked. */
export const EMPTY_NODE: ReturnType<typeof ztunnelNode> = ztunnelNode("ztunnel-a", "node-without-pods");

export function podUid(namespace: string, name: string): string {
  return `Kubernetes//Pod/${namespace}/${name}`;
}

export class ControlPlaneScene implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly plane: TestControlPlane;
  /** Of ztunnel's service account. */
  readonly token: string;

  constructor(cluster: TestCluster, plane: TestControlPlane, token: string) {
    this.cluster = cluster;
    this.plane = plane;
    this.token = token;
  }

  static async start(): Promise<ControlPlaneScene> {
    const cluster = await startCluster();
    const token = await createToken(cluster.client, "istio-system", "ztunnel");
    return new ControlPlaneScene(cluster, await startControlPlane(cluster), token);
  }

  async newNamespace(): Promise<string> {
    const namespace = uniqueName("conf");
    await ensureNamespace(this.cluster.client, namespace);
    return namespace;
  }

  /** Gives the workload's uid once it is compiled. */
  async pod(
    namespace: string,
    name: string,
    ip: string,
    labels: Record<string, string> = {},
  ): Promise<string> {
    await createRunningPod(this.cluster.client, { namespace, name, ip, node: "node-far", labels });
    await eventually(() => this.plane.plane.resources.addresses.get(podUid(namespace, name)));
    return podUid(namespace, name);
  }

  /** Selects pods with the label `app` of its name; gives its resource's name once it is compiled. */
  async service(namespace: string, name: string, clusterIP: string): Promise<string> {
    const ports = [{ name: "http", port: 80, targetPort: 8080 }];
    await this.cluster.client.create(SERVICES, {
      metadata: { namespace, name },
      spec: { selector: { app: name }, clusterIP, clusterIPs: [clusterIP], ports },
    });
    const key = `${namespace}/${name}.${namespace}.svc.cluster.local`;
    await eventually(() => this.plane.plane.resources.addresses.get(key));
    return key;
  }

  async remove(namespace: string, name: string): Promise<void> {
    await this.cluster.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 });
  }

  open(): ForeignAdsClient {
    return openStream(this.plane, this.token);
  }

  /** ztunnel's first requests, answered and acknowledged; with what it then holds of addresses. */
  async wildcard(): Promise<[ForeignAdsClient, Record<string, string>]> {
    const client = this.open();
    for (const typeUrl of [ADDRESS, AUTHORIZATION]) client.send({ typeUrl, node: NODE });
    const addresses = await client.next(ADDRESS);
    client.ack(addresses);
    client.ack(await client.next(AUTHORIZATION));
    return [client, versionsOf(addresses)];
  }

  async onDemand(): Promise<ForeignAdsClient> {
    const client = this.open();
    const names = { resourceNamesSubscribe: ["*"], resourceNamesUnsubscribe: ["*"] };
    client.send({ typeUrl: ADDRESS, node: EMPTY_NODE, ...names });
    client.ack(await client.next(ADDRESS));
    return client;
  }

  /** Asks for the names, and acknowledges the answer. */
  async ask(client: ForeignAdsClient, ...names: string[]): Promise<Response> {
    client.send({ typeUrl: ADDRESS, resourceNamesSubscribe: names });
    const response = await client.next(ADDRESS);
    client.ack(response);
    return response;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.plane[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}
