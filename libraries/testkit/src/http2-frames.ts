/** Frames of HTTP/2 by hand (RFC 9113): what no encoder of ours would send is sent too, and what was sent is cut apart again. */

export type FrameFields = readonly (readonly [name: string, value: string])[];

const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");
const HEADERS = 0x1;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;

/** Any frame at all (RFC 9113 §4.1). */
export function frame(
  type: number,
  flags: number,
  streamId: number,
  payload: Uint8Array = new Uint8Array(0),
): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt8(flags, 4);
  header.writeUInt32BE(streamId, 5);
  return Buffer.concat([header, payload]);
}

/** Payload of RST_STREAM, WINDOW_UPDATE or GOAWAY. */
export function uint32(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) buffer.writeUInt32BE(value, index * 4);
  return buffer;
}

/** One setting of a SETTINGS frame (RFC 9113 §6.5.1). */
export function setting(id: number, value: number): Buffer {
  const buffer = Buffer.alloc(6);
  buffer.writeUInt16BE(id, 0);
  buffer.writeUInt32BE(value, 2);
  return buffer;
}

/** A block of literals only, without the table: what an encoder of ours would never send is sent too. */
function block(fields: FrameFields): Buffer {
  const parts: Buffer[] = [];
  const string = (text: string): void => {
    const bytes = Buffer.from(text, "latin1");
    const rest = bytes.length - 127;
    if (rest < 0) parts.push(Buffer.from([bytes.length]));
    else if (rest < 128) parts.push(Buffer.from([127, rest]));
    else parts.push(Buffer.from([127, (rest & 127) | 128, (rest >>> 7) & 127]));
    parts.push(bytes);
  };
  for (const [name, value] of fields) {
    parts.push(Buffer.from([0]));
    string(name);
    string(value);
  }
  return Buffer.concat(parts);
}

/** A whole head, or trailers. */
export function headersFrame(streamId: number, fields: FrameFields, endStream = false): Buffer {
  const flags = END_HEADERS | (endStream ? END_STREAM : 0);
  return frame(HEADERS, flags, streamId, block(fields));
}

export interface SeenFrame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

/** Cuts what a connection wrote; a client's preface is skipped. */
export function parseFrames(bytes: Buffer): SeenFrame[] {
  const frames: SeenFrame[] = [];
  let at = bytes.subarray(0, PREFACE.length).equals(PREFACE) ? PREFACE.length : 0;
  while (at + 9 <= bytes.length) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({
      type: bytes[at + 3] ?? 0,
      flags: bytes[at + 4] ?? 0,
      streamId: bytes.readUInt32BE(at + 5),
      payload,
    });
    at += 9 + length;
  }
  return frames;
}
