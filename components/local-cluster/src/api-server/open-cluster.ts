/** The cluster's state with everything that every write goes through: admission, RBAC, what follows from a change. */
import { randomBytes, randomUUID } from "node:crypto";
import type { Clock } from "@meltemi/runtime";
import { hearValidating } from "./admission/hear.ts";
import { createAdmission } from "./admission.ts";
import { type Bootstrap, bootstrapObjects, ensureKubernetesService } from "./bootstrap.ts";
import { watchDefinitions } from "./custom/definitions.ts";
import { aggregateClusterRoles } from "./rbac/aggregation.ts";
import { type Authorizer, CLUSTER_ROLES, createAuthorizer, RBAC_GROUP } from "./rbac/authorizer.ts";
import { refuseEscalation } from "./rbac/escalation.ts";
import { createRegistry } from "./registry.ts";
import { parseRange } from "./resources/address-range.ts";
import { openDatabase } from "./store/database.ts";
import { createObjectStore } from "./store/object-store.ts";
import type { Cluster } from "./write/context.ts";

export interface OpenClusterOptions {
  /** SQLite file; `:memory:` for a cluster that is forgotten. */
  readonly statePath: string;
  /** Range of cluster addresses, 10.96.0.0/16 when absent. */
  readonly serviceCidr?: string;
  /** A second range makes dual-stack Services possible. */
  readonly serviceCidrIpv6?: string;
}

export interface OpenCluster {
  readonly cluster: Cluster;
  readonly authorizer: Authorizer;
}

/** Port that the `kubernetes` Service points at; the cluster's network maps 443 to it. */
const SECURE_PORT = 6443;

/** Opens the state and makes what every cluster has. @throws MeshError when the state cannot be opened */
export function openCluster(options: OpenClusterOptions, { clock }: { readonly clock: Clock }): OpenCluster {
  const store = createObjectStore(openDatabase(options.statePath));
  const authorizer = createAuthorizer(store);
  const ranges = {
    ipv4: parseRange(options.serviceCidr ?? "10.96.0.0/16"),
    ipv6: options.serviceCidrIpv6 === undefined ? undefined : parseRange(options.serviceCidrIpv6),
  };
  const cluster: Cluster = {
    store,
    registry: createRegistry(),
    randomName,
    newUid: randomUUID,
    admit: createAdmission({ ranges }, store),
    authorize: authorizer.authorize,
    confirm(request, object, previous) {
      const { group, plural } = request.served.resource;
      if (group === RBAC_GROUP)
        refuseEscalation(authorizer, { user: request.user, object, previous, plural });
      hearValidating(request, object, previous);
    },
    afterCommit(key) {
      definitions.noticed(key);
      if (key === CLUSTER_ROLES) aggregateClusterRoles(store);
      // The Service that pods find this server by comes back when it is deleted.
      if (key === "/services") ensureKubernetesService(cluster, bootstrap());
    },
  };
  const bootstrap = (): Bootstrap => ({
    serviceRange: ranges.ipv4,
    securePort: SECURE_PORT,
    nowMs: clock.nowMs(),
  });
  const definitions = watchDefinitions(cluster, clock);
  bootstrapObjects(cluster, bootstrap());
  aggregateClusterRoles(store);
  return { cluster, authorizer };
}

/** Letters and digits that make no words, as Kubernetes' own suffixes. */
const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function randomName(): string {
  return [...randomBytes(5)].map((byte) => SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length]).join("");
}
