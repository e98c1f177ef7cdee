/** SETTINGS, ours and the peer's (RFC 9113 §6.5.2). */
import {
  type ConnectionError,
  connectionError,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW_BYTES,
  ErrorCode,
  MAX_WINDOW_BYTES,
  Setting,
} from "./constants.ts";
import type { Http2Options } from "./options.ts";
import type { Http2Role } from "./receiver-host.ts";

export interface PeerSettings {
  readonly headerTableBytes: number;
  readonly maxConcurrentStreams: number;
  readonly initialWindowBytes: number;
  readonly maxFrameBytes: number;
  readonly maxHeaderListBytes: number;
  /** It takes CONNECT with `:protocol` (RFC 8441). */
  readonly extendedConnect: boolean;
}

/** What counts before the peer's first SETTINGS frame. The stream count is the one that Istio assumes (reference: protocol §1.6). */
export const INITIAL_PEER_SETTINGS: PeerSettings = {
  headerTableBytes: 4096,
  maxConcurrentStreams: 100,
  initialWindowBytes: DEFAULT_WINDOW_BYTES,
  maxFrameBytes: DEFAULT_FRAME_BYTES,
  maxHeaderListBytes: Number.POSITIVE_INFINITY,
  extendedConnect: false,
};

/** What we announce. */
export function announcedSettings(
  options: Http2Options,
  role: Http2Role,
  extendedConnect: boolean,
): readonly (readonly [id: number, value: number])[] {
  const settings: [id: number, value: number][] = [
    role === "client" ? [Setting.enablePush, 0] : [Setting.maxConcurrentStreams, options.maxStreams],
    [Setting.initialWindowSize, options.streamWindowBytes],
    [Setting.maxFrameSize, options.maxFrameBytes],
    [Setting.maxHeaderListSize, options.maxHeaderListBytes],
  ];
  if (extendedConnect) settings.push([Setting.enableConnectProtocol, 1]);
  return settings;
}

const LARGEST_FRAME_BYTES = 2 ** 24 - 1;

export type SettingsResult =
  | { readonly kind: "ok"; readonly settings: PeerSettings }
  | { readonly kind: "bad"; readonly error: ConnectionError };

type Changing = { -readonly [Name in keyof PeerSettings]: PeerSettings[Name] };

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
    const error = applyOne(after, view.getUint16(at), view.getUint32(at + 2), fromServer);
    if (error !== undefined) return { kind: "bad", error };
  }
  return { kind: "ok", settings: after };
}

function applyOne(
  after: Changing,
  id: number,
  value: number,
  fromServer: boolean,
): ConnectionError | undefined {
  switch (id) {
    case Setting.headerTableSize:
      after.headerTableBytes = value;
      return undefined;
    case Setting.enablePush:
      return value > (fromServer ? 0 : 1)
        ? connectionError(ErrorCode.protocolError, `SETTINGS_ENABLE_PUSH ${value}`)
        : undefined;
    case Setting.maxConcurrentStreams:
      after.maxConcurrentStreams = value;
      return undefined;
    case Setting.initialWindowSize:
      after.initialWindowBytes = value;
      return value > MAX_WINDOW_BYTES
        ? connectionError(
            ErrorCode.flowControlError,
            `SETTINGS_INITIAL_WINDOW_SIZE ${value} exceeds ${MAX_WINDOW_BYTES}`,
          )
        : undefined;
    case Setting.maxFrameSize:
      after.maxFrameBytes = value;
      return value < DEFAULT_FRAME_BYTES || value > LARGEST_FRAME_BYTES
        ? connectionError(
            ErrorCode.protocolError,
            `SETTINGS_MAX_FRAME_SIZE ${value}, expected 16384-16777215`,
          )
        : undefined;
    case Setting.maxHeaderListSize:
      after.maxHeaderListBytes = value;
      return undefined;
    case Setting.enableConnectProtocol:
      return applyExtendedConnect(after, value);
    default:
      return undefined;
  }
}

/** RFC 8441 §3: once granted, it is not taken back. */
function applyExtendedConnect(after: Changing, value: number): ConnectionError | undefined {
  if (value > 1 || (value === 0 && after.extendedConnect))
    return connectionError(ErrorCode.protocolError, `SETTINGS_ENABLE_CONNECT_PROTOCOL ${value}`);
  after.extendedConnect = value === 1;
  return undefined;
}

function bad(code: number, reason: string): SettingsResult {
  return { kind: "bad", error: connectionError(code, reason) };
}
