/** SETTINGS of the peer (RFC 9113 §6.5.2). */
import {
  type ConnectionError,
  connectionError,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  MAX_WINDOW_BYTES,
  Setting,
} from "./constants.ts";

export interface PeerSettings {
  readonly headerTableBytes: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowBytes: number;
  readonly maxFrameBytes: number;
  readonly maxHeaderListBytes: number;
}

/** What counts before the peer's first SETTINGS frame. The stream count is the one that Istio assumes (reference: protocol §1.6). */
export const INITIAL_PEER_SETTINGS: PeerSettings = {
  headerTableBytes: 4096,
  maxConcurrentStreams: 100,
  initialWindowBytes: DEFAULT_WINDOW_BYTES,
  maxFrameBytes: DEFAULT_FRAME_BYTES,
  maxHeaderListBytes: Number.POSITIVE_INFINITY,
};

const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

export type SettingsResult =
  | { readonly kind: "ok"; readonly settings: PeerSettings }
  | { readonly kind: "bad"; readonly error: ConnectionError };

/** Applies one payload to what was known before; later entries win, unknown ones are ignored. */
export function applySettings(
  before: PeerSettings,
  payload: Uint8Array,
  fromServer: boolean,
): SettingsResult {
  if (payload.length % 6 !== 0)
    return bad(ErrorCode.frameSizeError, `SETTINGS of ${payload.length} bytes, expected a multiple of 6`);
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const after = { ...before };
  for (let at = 0; at < payload.length; at += 6) {
    const value = view.getUint32(at + 2);
    switch (view.getUint16(at)) {
      case Setting.headerTableSize:
        after.headerTableBytes = value;
        break;
      case Setting.enablePush:
        if (value > 1 || (fromServer && value === 1))
          return bad(ErrorCode.protocolError, `SETTINGS_ENABLE_PUSH ${value}`);
        break;
      case Setting.maxConcurrentStreams:
        after.maxConcurrentStreams = value;
        break;
      case Setting.initialWindowSize:
        if (value > MAX_WINDOW_BYTES)
          return bad(
            ErrorCode.flowControlError,
            `SETTINGS_INITIAL_WINDOW_SIZE ${value} exceeds ${MAX_WINDOW_BYTES}`,
          );
        after.initialWindowBytes = value;
        break;
      case Setting.maxFrameSize:
        if (value < DEFAULT_FRAME_BYTES || value > LARGEST_FRAME_BYTES)
          return bad(ErrorCode.protocolError, `SETTINGS_MAX_FRAME_SIZE ${value}, expected 16384-16777215`);
        after.maxFrameBytes = value;
        break;
      case Setting.maxHeaderListSize:
        after.maxHeaderListBytes = value;
        break;
    }
  }
  return { kind: "ok", settings: after };
}

function bad(code: number, reason: string): SettingsResult {
  return { kind: "bad", error: connectionError(code, reason) };
}
