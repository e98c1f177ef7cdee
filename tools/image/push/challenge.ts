/** What a registry asks for with 401 (RFC 9110 §11.6.1; distribution's token authentication). Pure. */

export type Challenge =
  | { readonly kind: "basic" }
  | {
      readonly kind: "bearer";
      readonly realm: URL;
      readonly service: string | undefined;
      readonly scope: string | undefined;
    }
  | { readonly kind: "unknown"; readonly why: string };

export function parseChallenge(header: string | null): Challenge {
  const [, scheme, rest] = /^(\w+)(?:\s+(.*))?$/.exec(header ?? "") ?? [];
  if (scheme?.toLowerCase() === "basic") return { kind: "basic" };
  if (scheme?.toLowerCase() !== "bearer")
    return { kind: "unknown", why: `expected Basic or Bearer, got ${header}` };
  const parameters = new Map(
    [...(rest ?? "").matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
  );
  const realm = URL.parse(parameters.get("realm") ?? "");
  // The password goes there.
  if (realm?.protocol !== "https:")
    return { kind: "unknown", why: `expected a realm with https, got ${header}` };
  return { kind: "bearer", realm, service: parameters.get("service"), scope: parameters.get("scope") };
}
