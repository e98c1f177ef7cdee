/** Reading the untyped spec of a custom object. What has the wrong type counts as absent: the schema of the kind refused it already. */

export type Fields = Readonly<Record<string, unknown>>;

export function asFields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

export function textAt(fields: Fields, name: string): string {
  const value = fields[name];
  return typeof value === "string" ? value : "";
}

/** A whole number from `min` to `max`; undefined otherwise. */
export function integerAt(fields: Fields, name: string, min: number, max: number): number | undefined {
  const value = fields[name];
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max
    ? value
    : undefined;
}

export function listAt(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  return Array.isArray(value) ? value : [];
}

export function textsAt(fields: Fields, name: string): readonly string[] {
  return listAt(fields, name).filter((value) => typeof value === "string");
}

export function labelsAt(fields: Fields, name: string): Readonly<Record<string, string>> {
  const entries = Object.entries(asFields(fields[name]));
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

export function portsAt(fields: Fields, name: string): Readonly<Record<string, number>> {
  const ports = asFields(fields[name]);
  const names = Object.keys(ports).filter((key) => integerAt(ports, key, 1, 65_535) !== undefined);
  return Object.fromEntries(names.map((key) => [key, integerAt(ports, key, 1, 65_535) ?? 0]));
}
