/** A tar archive of text files (POSIX.1-1988 ustar): headers and padding. Pure. */

const BLOCK_BYTES = 512;
/** The format's own bound for a name without a prefix; longer names go into the prefix, too. */
const NAME_BYTES = 100;
const PREFIX_BYTES = 155;

export interface ArchivedFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly content: Uint8Array;
}

/** The blocks of one file. `mtimeSeconds` since the epoch. */
export function tarEntry({ path, content }: ArchivedFile, mtimeSeconds: number): Buffer {
  const padding = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return Buffer.concat([header(path, content.length, mtimeSeconds), content, Buffer.alloc(padding)]);
}

/** What ends an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK_BYTES);
}

function header(path: string, size: number, mtimeSeconds: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const { name, prefix } = splitPath(path);
  block.write(name, 0, NAME_BYTES, "utf8");
  block.write("0000644\0", 100, "latin1");
  block.write("0000000\0", 108, "latin1");
  block.write("0000000\0", 116, "latin1");
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124, "latin1");
  block.write(`${mtimeSeconds.toString(8).padStart(11, "0")}\0`, 136, "latin1");
  block.write("        ", 148, "latin1");
  block.write("0", 156, "latin1");
  block.write("ustar\u000000", 257, "latin1");
  block.write(prefix, 345, PREFIX_BYTES, "utf8");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

/** At a slash, so that both parts fit; a name that does not fit at all loses its beginning. */
function splitPath(path: string): { readonly name: string; readonly prefix: string } {
  if (Buffer.byteLength(path) <= NAME_BYTES) return { name: path, prefix: "" };
  for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
    const [prefix, name] = [path.slice(0, slash), path.slice(slash + 1)];
    if (Buffer.byteLength(name) <= NAME_BYTES && Buffer.byteLength(prefix) <= PREFIX_BYTES)
      return { name, prefix };
  }
  return { name: path.slice(-NAME_BYTES), prefix: "" };
}
