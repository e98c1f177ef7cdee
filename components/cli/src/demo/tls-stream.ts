/** Whether one direction of a TCP connection carries TLS records and nothing else (RFC 8446 §5.1). */

export const HBONE_PORT = 15008;

export interface Segment {
  readonly sequence: number;
  readonly payload: Buffer;
}

const RECORD_HEADER_BYTES = 5;
/** change_cipher_spec, alert, handshake, application_data. */
const FIRST_CONTENT_TYPE = 20;
const LAST_CONTENT_TYPE = 23;
const VERSIONS: readonly number[] = [0x0301, 0x0303];
const MAX_RECORD_BYTES = 16_384 + 256;

/** True when every byte belongs to a record. A stream with a hole, or one that was joined amid a record, is not shown to be TLS. */
export function isTls(segments: readonly Segment[]): boolean {
  const stream = reassemble(segments);
  if (stream === undefined) return false;
  let offset = 0;
  while (offset < stream.length) {
    // The last record may still be under way when the capture ends.
    if (offset + RECORD_HEADER_BYTES > stream.length) return offset > 0;
    const type = stream.readUInt8(offset);
    const length = stream.readUInt16BE(offset + 3);
    if (type < FIRST_CONTENT_TYPE || type > LAST_CONTENT_TYPE) return false;
    if (!VERSIONS.includes(stream.readUInt16BE(offset + 1)) || length > MAX_RECORD_BYTES) return false;
    offset += RECORD_HEADER_BYTES + length;
  }
  return true;
}

/** In order and each byte once, whatever was sent again; undefined when bytes are missing. */
function reassemble(segments: readonly Segment[]): Buffer | undefined {
  const first = segments[0]?.sequence ?? 0;
  // Sequence numbers wrap: what counts is the distance from the first.
  const distance = ({ sequence }: Segment): number => (sequence - first) | 0;
  const parts: Buffer[] = [];
  let next: number | undefined;
  for (const segment of [...segments].sort((a, b) => distance(a) - distance(b))) {
    const start = distance(segment);
    next ??= start;
    if (start > next) return undefined;
    const fresh = segment.payload.subarray(next - start);
    parts.push(fresh);
    next += fresh.length;
  }
  return Buffer.concat(parts);
}
