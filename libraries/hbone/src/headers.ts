/** Header fields in wire order. Names are lower case; a name may occur more than once. */
export type HeaderField = readonly [name: string, value: string];
export type HeaderFields = readonly HeaderField[];

/** All values of one header, in order. */
export function headerValues(headers: HeaderFields, name: string): readonly string[] {
  return headers.filter((field) => field[0] === name).map((field) => field[1]);
}
