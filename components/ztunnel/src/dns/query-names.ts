/** The names that a DNS query may stand for inside the mesh (reference: protocol §9). Names have no trailing dot here. */

export interface QueryName {
  readonly name: string;
  /** Made from the query by cutting off a search domain: an answer then needs a CNAME to it. */
  readonly stripped: boolean;
}

/** Search domains of a pod, as kubelet writes them. */
function searchDomains(clientNamespace: string, clusterDomain: string): readonly string[] {
  return [`${clientNamespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
}

/**
 * The query and its short forms completed, in the order in which they are tried; then the same for the query without
 * a search domain that a resolver has put behind it.
 */
export function queryNames(
  query: string,
  clientNamespace: string,
  clusterDomain: string,
): readonly QueryName[] {
  const names: QueryName[] = aliases(query, clientNamespace, clusterDomain).map((name) => ({
    name,
    stripped: false,
  }));
  for (const domain of searchDomains(clientNamespace, clusterDomain)) {
    if (!query.endsWith(`.${domain}`)) continue;
    const short = query.slice(0, -domain.length - 1);
    for (const name of aliases(short, clientNamespace, clusterDomain)) {
      if (!names.some((known) => known.name === name)) names.push({ name, stripped: true });
    }
  }
  return names;
}

/** A name and the full names that Kubernetes' short forms may mean. */
function aliases(name: string, clientNamespace: string, clusterDomain: string): readonly string[] {
  const labels = name.split(".");
  const last = labels.at(-1);
  switch (labels.length) {
    case 1:
      return [name, `${name}.${clientNamespace}.svc.${clusterDomain}`];
    case 2:
      return [name, `${name}.svc.${clusterDomain}`, `${name}.${clientNamespace}.svc.${clusterDomain}`];
    case 3:
      return last === "svc"
        ? [name, `${name}.${clusterDomain}`, `${name}.svc.${clusterDomain}`]
        : [name, `${name}.svc.${clusterDomain}`];
    case 4:
      return last === "svc" ? [name, `${name}.${clusterDomain}`] : [name];
    default:
      return [name];
  }
}

/** The name itself, then the wildcards that cover it, closest first, down to one label. */
export function withWildcards(name: string): readonly string[] {
  const labels = name.split(".");
  return [name, ...labels.slice(1).map((_, index) => `*.${labels.slice(index + 1).join(".")}`)];
}
