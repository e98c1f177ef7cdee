/** Content negotiation: which form of an answer a client asks for. */

export type Form =
  | { readonly kind: "object" }
  | { readonly kind: "table" }
  | { readonly kind: "partial"; readonly list: boolean }
  | { readonly kind: "unsupported" };

/** One entry of an Accept header, `application/json;as=Table;v=v1;g=meta.k8s.io`. */
export interface Accepted {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** A header with more alternatives than this is cut: no client has them. */
const MAX_ALTERNATIVES = 16;

export function parseAccept(header: string | undefined): readonly Accepted[] {
  const alternatives = (header ?? "").split(",").slice(0, MAX_ALTERNATIVES);
  return alternatives
    .map((alternative) => {
      const [type = "", ...rest] = alternative.split(";").map((part) => part.trim());
      const parameters = rest.map((part): [string, string] => {
        const equals = part.indexOf("=");
        return equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      });
      return { type: type.toLowerCase(), parameters: new Map(parameters) };
    })
    .filter((accepted) => accepted.type !== "");
}

const JSON_TYPES = new Set(["application/json", "*/*", "application/*"]);

/** The first alternative that this server can write. */
export function formOf(header: string | undefined): Form {
  const accepted = parseAccept(header);
  if (accepted.length === 0) return { kind: "object" };
  for (const { type, parameters } of accepted) {
    if (!JSON_TYPES.has(type)) continue;
    const as = parameters.get("as");
    if (as === undefined) return { kind: "object" };
    if (parameters.get("g") !== "meta.k8s.io" || parameters.get("v") !== "v1") continue;
    if (as === "Table") return { kind: "table" };
    if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") {
      return { kind: "partial", list: as === "PartialObjectMetadataList" };
    }
  }
  return { kind: "unsupported" };
}
