/** Which resources exist right now: the built-in ones, and those that established CRDs define. */
import { BUILT_IN_RESOURCES } from "./resources/catalogue.ts";
import type { Resource, ResourceVersion } from "./resources/resource.ts";

export interface Served {
  readonly resource: Resource;
  readonly version: ResourceVersion;
}

export interface Registry {
  find(group: string, version: string, plural: string): Served | undefined;
  /** By kind, for patches of owners and scale targets. */
  all(): readonly Resource[];
  /** Replaces all custom resources at once. */
  setCustom(resources: readonly Resource[]): void;
  /** Changes with every `setCustom`: what is derived from the resources (discovery, OpenAPI) is cached by it. */
  generation(): number;
}

export function createRegistry(): Registry {
  let resources: readonly Resource[] = BUILT_IN_RESOURCES;
  let byPath = indexByPath(resources);
  let generation = 1;
  return {
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    all: () => resources,
    setCustom(custom) {
      resources = [...BUILT_IN_RESOURCES, ...custom.toSorted(byGroup)];
      byPath = indexByPath(resources);
      generation++;
    },
    generation: () => generation,
  };
}

/** Kubernetes gives all custom groups one priority and orders equals by name: `kubectl get gateway` means Gateway API's. */
function byGroup(a: Resource, b: Resource): number {
  if (a.group === b.group) return 0;
  return a.group < b.group ? -1 : 1;
}

function indexByPath(resources: readonly Resource[]): ReadonlyMap<string, Served> {
  const index = new Map<string, Served>();
  for (const resource of resources) {
    for (const version of resource.versions) {
      if (version.served)
        index.set(`${resource.group}/${version.name}/${resource.plural}`, { resource, version });
    }
  }
  return index;
}
