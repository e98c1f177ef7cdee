/** What the user does without on an older Kubernetes: the manifests are rendered for it, and this says what that means. Pure. */

import { DAEMON_SET_SURGE_MINOR, DEFINITION_RULES_MINOR } from "../manifests/facts.ts";
import type { Manifest } from "../manifests/objects.ts";
import type { RenderedComponent } from "../manifests/render.ts";

interface Loss {
  /** The first minor version of Kubernetes 1 that has it. */
  readonly since: number;
  readonly text: string;
  readonly concerns: (object: Manifest) => boolean;
}

const LOSSES: readonly Loss[] = [
  {
    since: DEFINITION_RULES_MINOR,
    text: "rules of the definitions that need CEL are not checked by the API server (istioctl validate and analyze check them)",
    concerns: ({ kind }) => kind === "CustomResourceDefinition",
  },
  {
    since: 23,
    text: "the control plane is not scaled by load (autoscaling/v2): values.pilot.replicaCount says how many there are",
    concerns: ({ kind, metadata }) => kind === "Deployment" && metadata.labels?.["app"] === "istiod",
  },
  {
    since: DAEMON_SET_SURGE_MINOR,
    text: "DaemonSets cannot start the new pod beside the old one: while a node's proxy is upgraded, its pods make no new connections",
    concerns: ({ kind, metadata }) => kind === "DaemonSet" && metadata.labels?.["app"] === "ztunnel",
  },
];

/** A sentence each, for what is rendered; `minor`: of the server's version. */
export function lossesOn(minor: number, components: readonly RenderedComponent[]): readonly string[] {
  const objects = components.flatMap((component) => component.objects);
  return LOSSES.filter(({ since, concerns }) => minor < since && objects.some(concerns)).map(
    ({ text }) => text,
  );
}
