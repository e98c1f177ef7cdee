/** Huffman decoding of header strings (RFC 7541 §5.2, appendix B). */

/**
 * Lengths in bits of the codes of symbols 0-255 and of EOS (256). The code is canonical: sorted by length and then by symbol,
 * each code is the one before plus one, so the lengths say everything.
 */
const CODE_BITS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
  28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
  8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
  13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
  28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
  22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
  22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
  25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const EOS = 256;
const LONGEST_CODE_BITS = 30;
/** More padding than this would be a whole symbol (RFC 7541 §5.2). */
const MAX_PADDING_BITS = 7;

/** The code of each symbol, as a number of CODE_BITS[symbol] bits. */
export function huffmanCodes(): readonly { readonly code: number; readonly bits: number }[] {
  const codes: { code: number; bits: number }[] = CODE_BITS.map((bits) => ({ code: 0, bits }));
  let next = 0;
  for (let bits = 1; bits <= LONGEST_CODE_BITS; bits++) {
    next *= 2;
    for (const entry of codes) if (entry.bits === bits) entry.code = next++;
  }
  return codes;
}

/** Binary tree: `tree[2 * node + bit]` is the next node, or `~symbol` at a leaf. */
function buildTree(): Int16Array {
  const tree = new Int16Array(2 * CODE_BITS.length);
  let nodes = 1;
  for (const [symbol, { code, bits }] of huffmanCodes().entries()) {
    let node = 0;
    for (let shift = bits - 1; shift > 0; shift--) {
      const slot = 2 * node + ((code >>> shift) & 1);
      if (tree[slot] === 0) tree[slot] = nodes++;
      node = tree[slot] ?? 0;
    }
    tree[2 * node + (code & 1)] = ~symbol;
  }
  return tree;
}

/** In a step: the node to go on from, whether a symbol came out and which, or that EOS did. */
const NODE_SHIFT = 16;
const EMITS = 0x100;
const FAILS = 0x200;

/**
 * For each inner node and each four bits what follows: `STEPS[16 * node + nibble]`. The shortest code has five bits, so a step
 * gives one symbol at most.
 */
function buildSteps(): Uint32Array {
  const tree = buildTree();
  const steps = new Uint32Array(16 * CODE_BITS.length);
  for (let from = 0; from < CODE_BITS.length; from++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = from;
      let out = 0;
      for (let shift = 3; shift >= 0; shift--) {
        const next = tree[2 * node + ((nibble >>> shift) & 1)] ?? 0;
        node = next >= 0 ? next : 0;
        if (next < 0) out |= ~next === EOS ? FAILS : EMITS | ~next;
      }
      steps[16 * from + nibble] = (node << NODE_SHIFT) | out;
    }
  }
  return steps;
}

/** Nodes at which text may end: the bits since the last symbol are ones, and fewer than a whole symbol would be. */
function buildEnds(): Uint8Array {
  const tree = buildTree();
  const ends = new Uint8Array(CODE_BITS.length);
  let node = 0;
  for (let bits = 0; bits <= MAX_PADDING_BITS; bits++) {
    ends[node] = 1;
    node = tree[2 * node + 1] ?? 0;
  }
  return ends;
}

const STEPS = buildSteps();
const ENDS = buildEnds();

/** The most bytes that `bytes` bytes of Huffman code stand for: the shortest code has 5 bits. */
export function longestText(bytes: number): number {
  return Math.ceil((bytes * 8) / 5);
}

/** Decodes `source[start..end)` to the beginning of `out`, which has room; gives the length, or -1 for EOS or bad padding. */
export function decodeHuffman(source: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let length = 0;
  let node = 0;
  for (let index = start; index < end; index++) {
    const byte = source[index] ?? 0;
    const high = STEPS[16 * node + (byte >>> 4)] ?? 0;
    if ((high & EMITS) !== 0) out[length++] = high & 0xff;
    const low = STEPS[16 * (high >>> NODE_SHIFT) + (byte & 15)] ?? 0;
    if ((low & EMITS) !== 0) out[length++] = low & 0xff;
    if (((high | low) & FAILS) !== 0) return -1;
    node = low >>> NODE_SHIFT;
  }
  return ENDS[node] === 1 ? length : -1;
}
