/** Numbers of RFC 9113. */

export const FRAME_HEADER_BYTES = 9;
export const CLIENT_PREFACE: Uint8Array = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export const FrameType = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

export const Flag = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const;

export const ErrorCode = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

export const Setting = {
  headerTableSize: 0x1,
  enablePush: 0x2,
  maxConcurrentStreams: 0x3,
  initialWindowSize: 0x4,
  maxFrameSize: 0x5,
  maxHeaderListSize: 0x6,
  /** RFC 8441 §3. */
  enableConnectProtocol: 0x8,
} as const;

export const DEFAULT_WINDOW_BYTES = 65_535;
export const DEFAULT_FRAME_BYTES = 16_384;
export const MAX_WINDOW_BYTES = 0x7f_ff_ff_ff;
export const MAX_STREAM_ID = 0x7f_ff_ff_ff;

/** A fault that ends the whole connection with GOAWAY (RFC 9113 §5.4.1). */
export interface ConnectionError {
  readonly code: number;
  readonly reason: string;
}

export function connectionError(code: number, reason: string): ConnectionError {
  return { code, reason };
}

/** `PROTOCOL_ERROR`, … for logs. */
export function errorCodeName(code: number): string {
  for (const [name, value] of Object.entries(ErrorCode)) {
    if (value === code) return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  }
  return `0x${code.toString(16)}`;
}
