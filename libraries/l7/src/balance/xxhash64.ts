/**
 * xxHash64 of texts, the hash of Envoy's consistent balancers: replicas of ours and of Envoy's agree on where a key belongs.
 * Numbers of 64 bits are pairs of unsigned halves. Algorithm: xxHash specification 0.1.1, https://github.com/Cyan4973/xxHash.
 */

import type { Hash64 } from "./endpoint.ts";

const PRIME_1: Hash64 = { high: 0x9e3779b1, low: 0x85ebca87 };
const PRIME_2: Hash64 = { high: 0xc2b2ae3d, low: 0x27d4eb4f };
const PRIME_3: Hash64 = { high: 0x165667b1, low: 0x9e3779f9 };
const PRIME_4: Hash64 = { high: 0x85ebca77, low: 0xc2b2ae63 };
const PRIME_5: Hash64 = { high: 0x27d4eb2f, low: 0x165667c5 };

function add(a: Hash64, b: Hash64): Hash64 {
  const low = a.low + b.low;
  return { high: (a.high + b.high + (low > 0xffffffff ? 1 : 0)) >>> 0, low: low >>> 0 };
}

function multiply(a: Hash64, b: Hash64): Hash64 {
  const a0 = a.low & 0xffff;
  const a1 = a.low >>> 16;
  const b0 = b.low & 0xffff;
  const b1 = b.low >>> 16;
  const bottom = a0 * b0;
  const middle = a1 * b0 + (bottom >>> 16);
  const cross = a0 * b1 + (middle & 0xffff);
  const carried = a1 * b1 + Math.floor(middle / 0x10000) + Math.floor(cross / 0x10000);
  const high = carried + (Math.imul(a.high, b.low) >>> 0) + (Math.imul(a.low, b.high) >>> 0);
  return { high: high >>> 0, low: (((cross & 0xffff) << 16) | (bottom & 0xffff)) >>> 0 };
}

function xor(a: Hash64, b: Hash64): Hash64 {
  return { high: (a.high ^ b.high) >>> 0, low: (a.low ^ b.low) >>> 0 };
}

/** `bits` from 1 to 63, other than 32. */
function rotateLeft({ high, low }: Hash64, bits: number): Hash64 {
  const [top, bottom] = bits < 32 ? [high, low] : [low, high];
  const by = bits & 31;
  return {
    high: ((top << by) | (bottom >>> (32 - by))) >>> 0,
    low: ((bottom << by) | (top >>> (32 - by))) >>> 0,
  };
}

/** `bits` from 1 to 63. */
function shiftRight({ high, low }: Hash64, bits: number): Hash64 {
  if (bits >= 32) return { high: 0, low: high >>> (bits - 32) };
  return { high: high >>> bits, low: ((low >>> bits) | (high << (32 - bits))) >>> 0 };
}

function read32(text: string, at: number): number {
  const upper = ((text.charCodeAt(at + 3) & 0xff) << 24) | ((text.charCodeAt(at + 2) & 0xff) << 16);
  return (upper | ((text.charCodeAt(at + 1) & 0xff) << 8) | (text.charCodeAt(at) & 0xff)) >>> 0;
}

function read64(text: string, at: number): Hash64 {
  return { high: read32(text, at + 4), low: read32(text, at) };
}

function round(accumulator: Hash64, lane: Hash64): Hash64 {
  return multiply(rotateLeft(add(accumulator, multiply(lane, PRIME_2)), 31), PRIME_1);
}

function merge(accumulator: Hash64, lane: Hash64): Hash64 {
  return add(multiply(xor(accumulator, round({ high: 0, low: 0 }, lane)), PRIME_1), PRIME_4);
}

/** Of the bytes that the characters stand for, one each: a text of a head. */
export function xxHash64(bytes: string, seed: number = 0): Hash64 {
  const start: Hash64 = { high: 0, low: seed };
  let at = 0;
  let hash: Hash64;
  if (bytes.length < 32) hash = add(start, PRIME_5);
  else {
    let first = add(add(start, PRIME_1), PRIME_2);
    let second = add(start, PRIME_2);
    let third = start;
    let fourth = add(start, negate(PRIME_1));
    for (; at + 32 <= bytes.length; at += 32) {
      first = round(first, read64(bytes, at));
      second = round(second, read64(bytes, at + 8));
      third = round(third, read64(bytes, at + 16));
      fourth = round(fourth, read64(bytes, at + 24));
    }
    hash = add(
      add(rotateLeft(first, 1), rotateLeft(second, 7)),
      add(rotateLeft(third, 12), rotateLeft(fourth, 18)),
    );
    hash = merge(merge(merge(merge(hash, first), second), third), fourth);
  }
  return finish(add(hash, { high: 0, low: bytes.length }), bytes, at);
}

function negate({ high, low }: Hash64): Hash64 {
  return add({ high: ~high >>> 0, low: ~low >>> 0 }, { high: 0, low: 1 });
}

/** Takes in what is left from `start` on, and mixes. */
function finish(begun: Hash64, bytes: string, start: number): Hash64 {
  let hash = begun;
  let at = start;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = xor(hash, round({ high: 0, low: 0 }, read64(bytes, at)));
    hash = add(multiply(rotateLeft(hash, 27), PRIME_1), PRIME_4);
  }
  if (at + 4 <= bytes.length) {
    hash = xor(hash, multiply({ high: 0, low: read32(bytes, at) }, PRIME_1));
    hash = add(multiply(rotateLeft(hash, 23), PRIME_2), PRIME_3);
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = xor(hash, multiply({ high: 0, low: bytes.charCodeAt(at) & 0xff }, PRIME_5));
    hash = multiply(rotateLeft(hash, 11), PRIME_1);
  }
  hash = multiply(xor(hash, shiftRight(hash, 33)), PRIME_2);
  hash = multiply(xor(hash, shiftRight(hash, 29)), PRIME_3);
  return xor(hash, shiftRight(hash, 32));
}

/** Remainder by a divisor below 2^26, so that no step leaves the exact integers. */
export function remainder64({ high, low }: Hash64, divisor: number): number {
  return ((high % divisor) * (0x100000000 % divisor) + (low % divisor)) % divisor;
}

/** Negative, zero or positive as `a` is below, equal to or above `b`. */
export function compare64(a: Hash64, b: Hash64): number {
  return a.high === b.high ? a.low - b.low : a.high - b.high;
}
