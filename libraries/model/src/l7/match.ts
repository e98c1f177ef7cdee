/** What a rule of a route asks of a request. Values are as the user wrote them; libraries/l7 compiles them for speed. */

/** How one text is compared. Regular expressions have RE2 syntax and must match the whole text. */
export type TextMatch =
  | { readonly kind: "exact"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "prefix"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "suffix"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "regex"; readonly pattern: string }
  /** There, whatever it is; an empty value counts. */
  | { readonly kind: "present" };

/** Paths are compared without their query. */
export type PathMatch =
  | Exclude<TextMatch, { readonly kind: "suffix" } | { readonly kind: "present" }>
  /** Whole path elements: `/a` matches `/a`, `/a/` and `/a/b`, never `/ab` (Gateway API's PathPrefix). No slash at the end, unless it is `/`. */
  | { readonly kind: "elements"; readonly value: string };

export interface NamedMatch {
  /** Header names in lower case; names of query parameters as written. */
  readonly name: string;
  readonly match: TextMatch;
  /** True: the request must not match (VirtualService `withoutHeaders`). */
  readonly invert: boolean;
}

/** The workload that sent the request, by its verified identity's workload. */
export interface SourceMatch {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** All that is given must hold. Nothing given: every request. */
export interface RequestMatch {
  readonly path?: PathMatch;
  readonly method?: TextMatch;
  readonly scheme?: TextMatch;
  readonly authority?: TextMatch;
  readonly headers: readonly NamedMatch[];
  readonly queryParams: readonly NamedMatch[];
  readonly source?: SourceMatch;
}
