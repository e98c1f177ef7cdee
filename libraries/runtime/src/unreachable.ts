/** Closes a switch over a union: a kind that is not handled breaks the build here. */
export function unreachable(value: never): never {
  throw new TypeError(`unhandled case: ${JSON.stringify(value)}`);
}
