export {
  type AccessLog,
  type AccessLogPeer,
  type AccessLogRecord,
  type AccessLogResult,
  createAccessLog,
} from "./access-log.ts";
export type { Counter, Gauge, Histogram } from "./cells.ts";
export type { Family, LabelValues, MetricOptions } from "./family.ts";
export { isFreeLabelName, labelText } from "./label-text.ts";
export { createRegistry, type Exposition, metricsContentType, type Registry } from "./registry.ts";
export type { SharedFamily, SharedSeries } from "./shared-series.ts";
