/** What the image's builder must know of programs and libraries: which libraries they need, and where their loaded part ends. ELF, 64 bits, little-endian. */

const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
const SEGMENT_BYTES = 56;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;

export interface ElfNeeds {
  /** Path of the program loader; undefined in a library. */
  readonly interpreter: string | undefined;
  /** Names of libraries, as the loader looks for them. */
  readonly libraries: readonly string[];
}

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
}

export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_BYTES && Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "\x7fELF";
}

/** @throws on a file that is none, or that lies about its parts */
export function readNeeds(bytes: Uint8Array): ElfNeeds {
  const view = viewOf(bytes);
  const segments = readSegments(view);
  const interpreter = segments.find((segment) => segment.type === PT_INTERP);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  return {
    interpreter: interpreter === undefined ? undefined : stringAt(view, interpreter.offset),
    libraries: dynamic === undefined ? [] : readLibraries(view, segments, dynamic),
  };
}

function readLibraries(view: Buffer, segments: readonly Segment[], dynamic: Segment): string[] {
  const names: number[] = [];
  let strings: number | undefined;
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.fileBytes; at += 16) {
    const tag = view.readBigUInt64LE(at);
    const value = Number(view.readBigUInt64LE(at + 8));
    if (tag === DT_NEEDED) names.push(value);
    if (tag === DT_STRTAB) strings = value;
  }
  if (names.length === 0) return [];
  const home = segments.find(
    (segment) =>
      segment.type === PT_LOAD &&
      strings !== undefined &&
      strings >= segment.address &&
      strings < segment.address + segment.fileBytes,
  );
  if (home === undefined || strings === undefined)
    throw new Error("read ELF: expected the names of libraries in a loaded part");
  const start = strings - home.address + home.offset;
  return names.map((name) => stringAt(view, start + name));
}

/**
 * The same program without what is never loaded: symbols and debugging information, and the table of sections, which only linkers
 * and debuggers read. A program without such a tail is returned as it is.
 */
export function withoutUnloadedTail(bytes: Uint8Array): Uint8Array {
  const view = viewOf(bytes);
  const end = Math.max(
    HEADER_BYTES,
    ...readSegments(view).map((segment) => segment.offset + segment.fileBytes),
  );
  const sections = Number(view.readBigUInt64LE(0x28));
  if (sections < end || sections + SECTION_BYTES > view.length) return bytes;
  const cut = Buffer.from(view.subarray(0, end));
  // Place, number and names of sections: none.
  cut.writeBigUInt64LE(0n, 0x28);
  cut.fill(0, 0x3c, 0x40);
  return cut;
}

function viewOf(bytes: Uint8Array): Buffer {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isElf(view) || view[4] !== 2 || view[5] !== 1)
    throw new Error("read ELF: expected a 64-bit little-endian program or library");
  return view;
}

function readSegments(view: Buffer): Segment[] {
  const start = Number(view.readBigUInt64LE(0x20));
  const count = view.readUInt16LE(0x38);
  if (view.readUInt16LE(0x36) !== SEGMENT_BYTES || start + count * SEGMENT_BYTES > view.length)
    throw new Error("read ELF: expected a table of segments inside the file");
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * SEGMENT_BYTES;
    const segment = {
      type: view.readUInt32LE(at),
      offset: Number(view.readBigUInt64LE(at + 8)),
      address: Number(view.readBigUInt64LE(at + 16)),
      fileBytes: Number(view.readBigUInt64LE(at + 32)),
    };
    if (segment.offset + segment.fileBytes > view.length)
      throw new Error("read ELF: expected segments inside the file");
    return segment;
  });
}

function stringAt(view: Buffer, at: number): string {
  const end = view.indexOf(0, at);
  if (at >= view.length || end < 0) throw new Error("read ELF: expected a name inside the file");
  return view.toString("utf8", at, end);
}
