/** Which lines a text loses and gains, in their order. Pure. */

export interface LineChange {
  readonly sign: "-" | "+";
  readonly line: string;
}

/** The table of the longest common part has a cell for each pair of lines: 1 MiB of them. Larger parts are told as exchanged whole. */
const MAX_CELLS = 1024 * 1024;

export function lineChanges(before: string, after: string): readonly LineChange[] {
  const [left, right] = [linesOf(before), linesOf(after)];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) start++;
  let end = 0;
  const shorter = Math.min(left.length, right.length) - start;
  while (end < shorter && left[left.length - 1 - end] === right[right.length - 1 - end]) end++;
  const [from, to] = [left.slice(start, left.length - end), right.slice(start, right.length - end)];
  const changes = (from.length + 1) * (to.length + 1) > MAX_CELLS ? exchanged(from, to) : walk(from, to);
  if (changes.length > 0 || before === after) return changes;
  // The newline at the end is what differs.
  const last = left.at(-1) ?? "";
  return [
    { sign: "-", line: before.endsWith("\n") ? `${last}\\n` : last },
    { sign: "+", line: after.endsWith("\n") ? `${last}\\n` : last },
  ];
}

/** A newline ends a line; one at the end begins no other. */
function linesOf(text: string): readonly string[] {
  if (text === "") return [];
  return (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
}

function exchanged(from: readonly string[], to: readonly string[]): readonly LineChange[] {
  return [
    ...from.map((line): LineChange => ({ sign: "-", line })),
    ...to.map((line): LineChange => ({ sign: "+", line })),
  ];
}

function walk(from: readonly string[], to: readonly string[]): readonly LineChange[] {
  const width = to.length + 1;
  const common = commonLengths(from, to);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  const changes: LineChange[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [left, right] = [from[i], to[j]];
    if (left !== undefined && left === right) {
      i++;
      j++;
    } else if (left !== undefined && (right === undefined || at(i + 1, j) >= at(i, j + 1))) {
      changes.push({ sign: "-", line: left });
      i++;
    } else if (right !== undefined) {
      changes.push({ sign: "+", line: right });
      j++;
    }
  }
  return changes;
}

/** Cell (i, j): how many lines the rests from `i` and `j` have in common, in order. */
function commonLengths(from: readonly string[], to: readonly string[]): Uint32Array {
  const width = to.length + 1;
  const cells = new Uint32Array((from.length + 1) * width);
  for (let i = from.length - 1; i >= 0; i--)
    for (let j = to.length - 1; j >= 0; j--)
      cells[i * width + j] =
        from[i] === to[j]
          ? (cells[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(cells[(i + 1) * width + j] ?? 0, cells[i * width + j + 1] ?? 0);
  return cells;
}
