/**
 * Cases that one of the servers does not meet, each with its reason: `docs/local-cluster.md` shows this table, and a test holds the
 * two equal. A case that is listed must fail where it is listed.
 */

export type ServerKind = "embedded" | "kube-apiserver 1.20";

export interface Difference {
  readonly case: string;
  readonly fails: ServerKind;
  readonly why: string;
}

const OLD = "kube-apiserver 1.20";
const NO_FIELD_VALIDATION = "fieldValidation came with 1.23";

export const DIFFERENCES: readonly Difference[] = [
  { case: "an unknown field with ?fieldValidation=Strict", fails: OLD, why: NO_FIELD_VALIDATION },
  { case: "an unknown field with ?fieldValidation=Warn", fails: OLD, why: NO_FIELD_VALIDATION },
  {
    case: "watch: sendInitialEvents tells what there is, then a bookmark that says so",
    fails: OLD,
    why: "the streamed list came with 1.27",
  },
  { case: "discovery: /openapi/v3", fails: OLD, why: "OpenAPI v3 came with 1.23" },
  { case: "discovery: all of it at once", fails: OLD, why: "aggregated discovery came with 1.26" },
  { case: "a rule in CEL is held", fails: OLD, why: "rules in CEL came with 1.23" },
  { case: "kubectl create poddisruptionbudget", fails: OLD, why: "policy/v1 came with 1.21" },
  {
    case: "HTTP/2 is spoken",
    fails: "embedded",
    why: "HTTP/1.1 with kept connections alone: every client falls back to it",
  },
  {
    case: "create: the server writes uid, time, version and managers",
    fails: "embedded",
    why: 'managedFields of an update name the keys of a map, and not the map itself (`f:data: {".": {}}`)',
  },
];
