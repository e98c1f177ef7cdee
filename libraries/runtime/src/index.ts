export { type BackoffOptions, backoffMs } from "./backoff.ts";
export { type Clock, delay, systemClock, type Timer } from "./clock.ts";
export { type Environment, EnvironmentReader, parseDurationMs } from "./config.ts";
export { detach } from "./detach.ts";
export { describeError, type ErrorCode, MeshError } from "./errors.ts";
export { endProcess, type OnInternalError } from "./internal-error.ts";
export {
  createLogger,
  formatLine,
  isLogLevel,
  type LogFields,
  LogFilter,
  type LogFormat,
  type Logger,
  type LogLevel,
  type LogSink,
} from "./log.ts";
export { applyLogClauses, changeLogLevels, parseLogClauses } from "./log-levels.ts";
export { createRefusalLog, type RefusalLog } from "./refusal-log.ts";
export { unreachable } from "./unreachable.ts";
