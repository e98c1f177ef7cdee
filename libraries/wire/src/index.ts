export * as authorization from "./generated/authorization_pb.js";
export * as ca from "./generated/ca_pb.js";
export * as discovery from "./generated/discovery_pb.js";
export * as waypoint from "./generated/waypoint_pb.js";
export * as workloadLabels from "./generated/workload_labels_pb.js";
export * as workload from "./generated/workload_pb.js";
export * as zds from "./generated/zds_pb.js";
