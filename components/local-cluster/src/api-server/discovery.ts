/** Discovery: which groups, versions and resources there are, in the aggregated form (v2) and the older one. */
import type { Json, JsonObject } from "./json.ts";
import type { Registry } from "./registry.ts";
import { apiVersionOf, type Resource, type ResourceVersion, type Subresource } from "./resources/resource.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

interface Described {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

/** What one may do with a subresource, and the kind it speaks when that is not the resource's own. */
function describeSubresource(resource: Resource, version: ResourceVersion, name: Subresource): Described {
  const own = { kind: resource.kind, group: resource.group, version: version.name };
  switch (name) {
    case "scale":
      return { kind: "Scale", group: "autoscaling", version: "v1", verbs: ["get", "patch", "update"] };
    case "log":
      return { ...own, verbs: ["get"] };
    case "token":
      return { kind: "TokenRequest", group: "authentication.k8s.io", version: "v1", verbs: ["create"] };
    case "eviction":
      return { kind: "Eviction", group: "policy", version: "v1", verbs: ["create"] };
    case "binding":
      return { kind: "Binding", group: "", version: "v1", verbs: ["create"] };
    case "finalize":
      return { ...own, verbs: ["update"] };
    case "status":
      return { ...own, verbs: ["get", "patch", "update"] };
  }
}

/** Kinds that are asked, not stored. */
export interface ReviewKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

const AUTHENTICATION = "authentication.k8s.io";
const AUTHORIZATION = "authorization.k8s.io";

export const REVIEWS: readonly ReviewKind[] = [
  { group: AUTHENTICATION, version: "v1", kind: "TokenReview", plural: "tokenreviews", namespaced: false },
  {
    group: AUTHENTICATION,
    version: "v1",
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
    namespaced: false,
  },
  {
    group: AUTHORIZATION,
    version: "v1",
    kind: "SubjectAccessReview",
    plural: "subjectaccessreviews",
    namespaced: false,
  },
  {
    group: AUTHORIZATION,
    version: "v1",
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    namespaced: false,
  },
  {
    group: AUTHORIZATION,
    version: "v1",
    kind: "SelfSubjectRulesReview",
    plural: "selfsubjectrulesreviews",
    namespaced: false,
  },
  {
    group: AUTHORIZATION,
    version: "v1",
    kind: "LocalSubjectAccessReview",
    plural: "localsubjectaccessreviews",
    namespaced: true,
  },
];

interface GroupVersion {
  readonly group: string;
  readonly version: string;
  readonly entries: readonly { readonly resource: Resource; readonly version: ResourceVersion }[];
  readonly reviews: readonly ReviewKind[];
}

/** Groups in the order of their first resource; the versions of each with the preferred one first. */
function groupVersions(registry: Registry): Map<string, GroupVersion[]> {
  const groups = new Map<string, Map<string, GroupVersion>>();
  const slot = (group: string, version: string): GroupVersion => {
    const versions = groups.get(group) ?? new Map<string, GroupVersion>();
    groups.set(group, versions);
    const found = versions.get(version) ?? { group, version, entries: [], reviews: [] };
    versions.set(version, found);
    return found;
  };
  for (const resource of registry.all()) {
    for (const version of resource.versions) {
      if (!version.served) continue;
      const found = slot(resource.group, version.name);
      groups
        .get(resource.group)
        ?.set(version.name, { ...found, entries: [...found.entries, { resource, version }] });
    }
  }
  for (const review of REVIEWS) {
    const found = slot(review.group, review.version);
    groups.get(review.group)?.set(review.version, { ...found, reviews: [...found.reviews, review] });
  }
  return new Map(
    [...groups].map(([group, versions]) => [group, [...versions.values()].sort(byVersionPriority)]),
  );
}

/** v2 before v1 before v1beta2 before v1alpha1 (Kubernetes' version priority). */
function byVersionPriority(a: { readonly version: string }, b: { readonly version: string }): number {
  return versionRank(b.version) - versionRank(a.version);
}

export function versionRank(version: string): number {
  const found = /^v(\d{1,4})(?:(alpha|beta)(\d{1,4}))?$/.exec(version);
  if (found === null) return -1;
  const stage = found[2] === undefined ? 2 : found[2] === "beta" ? 1 : 0;
  return stage * 1e9 + Number(found[1]) * 1e4 + Number(found[3] ?? 0);
}

/** Aggregated discovery (apidiscovery.k8s.io/v2): of the core group for `/api`, of all others for `/apis`. */
export function aggregatedDiscovery(registry: Registry, core: boolean): JsonObject {
  const items = [...groupVersions(registry)]
    .filter(([group]) => (group === "") === core)
    .map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((version) => ({
        version: version.version,
        freshness: "Current",
        resources: [...version.entries.map(aggregatedResource), ...version.reviews.map(aggregatedReview)],
      })),
    }));
  return { kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2", metadata: {}, items };
}

function aggregatedResource(entry: {
  readonly resource: Resource;
  readonly version: ResourceVersion;
}): JsonObject {
  const { resource, version } = entry;
  return {
    resource: resource.plural,
    responseKind: { group: resource.group, version: version.name, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: [...VERBS],
    ...(resource.shortNames.length === 0 ? {} : { shortNames: [...resource.shortNames] }),
    ...(resource.categories.length === 0 ? {} : { categories: [...resource.categories] }),
    ...(version.subresources.length === 0
      ? {}
      : {
          subresources: version.subresources.map((name): Json => {
            const { verbs, ...responseKind } = describeSubresource(resource, version, name);
            return { subresource: name, responseKind, verbs: [...verbs] };
          }),
        }),
  };
}

function aggregatedReview(review: ReviewKind): JsonObject {
  return {
    resource: review.plural,
    responseKind: { group: review.group, version: review.version, kind: review.kind },
    scope: review.namespaced ? "Namespaced" : "Cluster",
    singularResource: review.kind.toLowerCase(),
    verbs: ["create"],
  };
}

export function coreVersions(host: string): JsonObject {
  const serverAddressByClientCIDRs = [{ clientCIDR: "0.0.0.0/0", serverAddress: host }];
  return { kind: "APIVersions", versions: ["v1"], serverAddressByClientCIDRs };
}

export function groupList(registry: Registry): JsonObject {
  const groups = [...groupVersions(registry)].filter(([group]) => group !== "").map(groupOf);
  return { kind: "APIGroupList", apiVersion: "v1", groups };
}

/** Undefined for a group that nothing is served of. */
export function groupByName(registry: Registry, name: string): JsonObject | undefined {
  const versions = groupVersions(registry).get(name);
  return versions === undefined
    ? undefined
    : { kind: "APIGroup", apiVersion: "v1", ...groupOf([name, versions]) };
}

function groupOf([name, versions]: [string, readonly GroupVersion[]]): JsonObject {
  const described = versions.map(({ version }) => ({ groupVersion: apiVersionOf(name, version), version }));
  return { name, versions: described, preferredVersion: described[0] ?? null };
}

/** `/api/v1`, `/apis/apps/v1`; undefined when there is no such group and version. */
export function resourceList(registry: Registry, group: string, version: string): JsonObject | undefined {
  const found = groupVersions(registry)
    .get(group)
    ?.find((candidate) => candidate.version === version);
  if (found === undefined) return undefined;
  const resources = [...found.entries.flatMap(listedResource), ...found.reviews.map(listedReview)];
  return { kind: "APIResourceList", apiVersion: "v1", groupVersion: apiVersionOf(group, version), resources };
}

function listedResource(entry: {
  readonly resource: Resource;
  readonly version: ResourceVersion;
}): JsonObject[] {
  const { resource, version } = entry;
  const { namespaced, plural } = resource;
  const whole: JsonObject = {
    name: plural,
    singularName: resource.singular,
    namespaced,
    kind: resource.kind,
    verbs: [...VERBS],
    ...(resource.shortNames.length === 0 ? {} : { shortNames: [...resource.shortNames] }),
    ...(resource.categories.length === 0 ? {} : { categories: [...resource.categories] }),
  };
  const parts = version.subresources.map((name): JsonObject => {
    const described = describeSubresource(resource, version, name);
    const own = described.group === resource.group && described.version === version.name;
    return {
      name: `${plural}/${name}`,
      singularName: "",
      namespaced,
      ...(own ? {} : { group: described.group, version: described.version }),
      kind: described.kind,
      verbs: [...described.verbs],
    };
  });
  return [whole, ...parts];
}

function listedReview(review: ReviewKind): JsonObject {
  const { plural, kind, namespaced } = review;
  return { name: plural, singularName: kind.toLowerCase(), namespaced, kind, verbs: ["create"] };
}
