export {
  type AccessLog,
  type AccessLogPeer,
  type AccessLogRecord,
  type AccessLogResult,
  createAccessLog,
} from "./access-log.ts";
export type { Counter, Family, Gauge, Histogram, LabelValues, MetricOptions } from "./family.ts";
export { createRegistry, type Exposition, metricsContentType, type Registry } from "./registry.ts";
