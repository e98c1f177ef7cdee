/**
 * Revision tags: names that stand for a control plane's revision (reference: l7-and-cli §3.6). In ambient mode a tag is a Service
 * with the label `istio.io/tag`; there is no sidecar injector here whose webhook would have to follow. Pure.
 */

import { nameOf, type Service } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

const TAG_LABEL = "istio.io/tag";
export const REVISION_LABEL = "istio.io/rev";

export interface Tag {
  readonly tag: string;
  readonly revision: string;
  /** Namespaces whose label names it. */
  readonly namespaces: readonly string[];
}

const NAME = /^[a-z]([a-z0-9-]{0,40}[a-z0-9])?$/;

/** Throws INPUT_INVALID. */
export function checkTagName(tag: string): void {
  if (!NAME.test(tag))
    throw new MeshError(
      "INPUT_INVALID",
      `tag ${JSON.stringify(tag)}: expected lower-case letters, digits and hyphens`,
    );
}

export function readTags(
  services: readonly Service[],
  namespaces: readonly { readonly name: string; readonly revision: string | undefined }[],
): readonly Tag[] {
  return services
    .flatMap((service): readonly Tag[] => {
      const tag = service.metadata?.labels?.[TAG_LABEL];
      if (tag === undefined) return [];
      return [
        {
          tag,
          revision: service.metadata?.labels?.[REVISION_LABEL] ?? "default",
          namespaces: namespaces
            .filter((one) => one.revision === tag)
            .map(({ name }) => name)
            .sort(),
        },
      ];
    })
    .sort((a, b) => (a.tag < b.tag ? -1 : 1));
}

/** `istiod` is the Service of the revision: the tag's has its ports and selects the same pods. */
export function tagService(tag: string, revision: string, istiod: Service): Service {
  const { ports, selector } = istiod.spec ?? {};
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: `istiod-revision-tag-${tag}`,
      namespace: istiod.metadata?.namespace ?? "",
      labels: {
        app: "istiod",
        [REVISION_LABEL]: revision,
        [TAG_LABEL]: tag,
        "app.kubernetes.io/name": "istiod",
      },
    },
    spec: {
      ports: (ports ?? []).map(({ name, port, protocol, targetPort }) => ({
        port,
        ...(name !== undefined && { name }),
        ...(protocol !== undefined && { protocol }),
        ...(targetPort !== undefined && { targetPort }),
      })),
      ...(selector !== undefined && { selector }),
    },
  };
}

/** The control plane's own Service of a revision, not one of its tags. */
export function serviceOfRevision(services: readonly Service[], revision: string): Service | undefined {
  return services.find(
    (service) =>
      service.metadata?.labels?.[TAG_LABEL] === undefined &&
      (service.metadata?.labels?.[REVISION_LABEL] ?? "default") === revision &&
      nameOf(service).startsWith("istiod"),
  );
}
