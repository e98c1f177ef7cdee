/** Where a registry is, and what it calls an image. */

export interface Repository {
  /** Host and port for requests. */
  readonly host: string;
  /** Path in the registry, as `meltemi/pilot`. */
  readonly path: string;
  /** Key of the credentials in docker's configuration. */
  readonly credentialsKey: string;
}

const DOCKER_HUB = { host: "registry-1.docker.io", credentialsKey: "https://index.docker.io/v1/" };

/** `registry.example:5000/mesh/pilot:1.0` → where to push, and the tag. @throws without a registry's name */
export function parseReference(reference: string): { readonly repository: Repository; readonly tag: string } {
  const match = /^([^/]+)\/(.+):([\w.-]+)$/.exec(reference);
  const [, host, path, tag] = match ?? [];
  if (host === undefined || path === undefined || tag === undefined || !/[.:]|^localhost$/.test(host))
    throw new Error(`push ${reference}: expected a registry, as in registry.example/mesh/pilot:1.0`);
  const place = host === "docker.io" ? DOCKER_HUB : { host, credentialsKey: host };
  return { repository: { ...place, path }, tag };
}
