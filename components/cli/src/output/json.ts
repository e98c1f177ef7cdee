/** Reading JSON of unknown shape for a table: what is missing or of another kind is empty. Pure. */

export type Json = Readonly<Record<string, unknown>>;

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Numbers and flags as text, too. */
export function textAt(json: Json | undefined, key: string): string {
  const value = json !== undefined && Object.hasOwn(json, key) ? json[key] : undefined;
  return typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : "";
}

export function jsonAt(json: Json | undefined, key: string): Json | undefined {
  const value = json !== undefined && Object.hasOwn(json, key) ? json[key] : undefined;
  return isJson(value) ? value : undefined;
}

export function listAt(json: Json | undefined, key: string): readonly unknown[] {
  const value = json !== undefined && Object.hasOwn(json, key) ? json[key] : undefined;
  return Array.isArray(value) ? (value as unknown[]) : [];
}

export function objectsAt(json: Json | undefined, key: string): readonly Json[] {
  return listAt(json, key).filter(isJson);
}

export function textsAt(json: Json | undefined, key: string): readonly string[] {
  return listAt(json, key).filter((value) => typeof value === "string");
}
