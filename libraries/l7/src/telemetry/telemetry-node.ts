/** The waypoint itself, as spans and log formats name it. */
export interface TelemetryNode {
  /** Of its pod. */
  readonly name: string;
  readonly namespace: string;
  /** Name of the waypoint: its Gateway's. */
  readonly canonicalService: string;
  readonly canonicalRevision: string;
  readonly clusterId: string;
  readonly meshId: string;
}
