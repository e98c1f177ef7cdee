/** `explain` from the names that a user gives to what becomes of the connection. */

import type { MeshSnapshot, Workload } from "@meltemi/model";
import { formatIdentity, formatSocketAddress, workloadIdentity } from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { findDestination } from "./destination.ts";
import { type ExplainDeps, explain } from "./explain.ts";
import type { Explanation } from "./explanation.ts";
import type { AskedRequest } from "./request.ts";
import { explainUncaptured, plainEndpoints } from "./uncaptured.ts";

export interface Ask {
  readonly client: { readonly namespace: string; readonly name: string };
  readonly labels: Readonly<Record<string, string>>;
  readonly destination: string;
  readonly request: Omit<AskedRequest, "authority"> & { readonly authority: string | undefined };
}

export async function askExplanation(ask: Ask, deps: ExplainDeps): Promise<Explanation> {
  const { snapshot } = deps.ztunnel;
  const source = findClient(snapshot, ask.client);
  const destination = findDestination(snapshot, ask.destination, source, ask.client.namespace);
  const { port } = destination.address;
  const authority = ask.request.authority ?? (port === 80 ? destination.host : `${destination.host}:${port}`);
  const request = { ...ask.request, authority };
  if (source.tunnelProtocol !== "none")
    return explain({ source, labels: ask.labels, destination, request }, deps);
  const [endpoint] = plainEndpoints(snapshot, destination, source.network);
  const ztunnel = endpoint && (await deps.serverZtunnel(endpoint.workload.node));
  return {
    client: {
      name: `${source.name}.${source.namespace} (not in the mesh)`,
      node: source.node,
      identity: `would be ${formatIdentity(workloadIdentity(source))}`,
    },
    destination: { name: destination.name, address: formatSocketAddress(destination.address) },
    request: { method: request.method, authority, path: request.path },
    endpoints: [],
    ...explainUncaptured(source, destination, endpoint, ztunnel, snapshot),
  };
}

function findClient(snapshot: MeshSnapshot, { namespace, name }: Ask["client"]): Workload {
  const [source] = snapshot.workloadsByName.get(`${namespace}/${name}`) ?? [];
  if (source !== undefined) return source;
  throw new MeshError("NOT_FOUND", `pod ${namespace}/${name} is not known to the ztunnel that was asked`);
}
