/** What went wrong between this command and the API server, in a sentence that says what to do. Pure. */

import { statusOf } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

/** What Node says of a connection that did not come about → what a person calls it. */
const CONNECTION_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection was cut",
  EHOSTUNREACH: "there is no way to that address",
  ENETUNREACH: "there is no way to that address",
  ENOTFOUND: "there is no such name",
  EAI_AGAIN: "its name cannot be looked up",
  ETIMEDOUT: "it does not answer",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is not of the authority that the kubeconfig names",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is not of the authority that the kubeconfig names",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is not of the authority that the kubeconfig names",
};

/** The error itself when there is nothing clearer to say. `server` is the API server's address; `as` is whom the user acts as. */
export function explainClusterError(error: unknown, server: string, as?: string): unknown {
  const status = statusOf(error);
  if (status?.code === 401)
    return new MeshError(
      "FORBIDDEN",
      `the API server at ${server} does not know you (HTTP 401): the credentials in the kubeconfig are wrong or have expired`,
      { details: { status: 401, reason: status.reason } },
    );
  if (status?.code === 403)
    return new MeshError(
      "FORBIDDEN",
      `the API server at ${server} does not permit this: ${refusal(error)}. ${howToCheck(error, as)}Choose other credentials with --kubeconfig or --context`,
      { details: { status: 403, reason: status.reason } },
    );
  const kind = status?.code === 404 ? missingKind(error) : undefined;
  if (kind !== undefined)
    return new MeshError(
      "NOT_FOUND",
      `the API server at ${server} has no ${kind}: its CustomResourceDefinition is missing. \`istioctl install\` brings those of the mesh ` +
        "and of the Gateway API; `kubectl api-resources` shows what there is. Is it the right cluster (--context)?",
    );
  if (!(error instanceof MeshError) || status !== undefined) return error;
  const fault = connectionFault(error);
  if (fault !== undefined)
    return new MeshError(
      "UNAVAILABLE",
      `cannot reach the API server at ${server}: ${fault}. Is the cluster up, and is KUBECONFIG the right one?`,
    );
  return error;
}

/** Kubernetes' own words: who, which verb, on what. */
function refusal(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^.*HTTP 403 (?:Forbidden: )?/s, "").replace(/\.$/, "");
}

/** `User "u" cannot list resource "pods" in API group "apps" in the namespace "shop"`, as a question for kubectl. */
function howToCheck(error: unknown, as: string | undefined): string {
  const match =
    /cannot (\w+) resource "([\w./-]+)" in API group "([\w.-]*)"(?: in the namespace "([\w.-]+)")?/.exec(
      error instanceof Error ? error.message : "",
    );
  const [, verb = "", resource = "", group = "", namespace] = match ?? [];
  if (verb === "") return "";
  // `pods/exec`: the resource with its group comes before the part.
  const [plural = "", subresource] = resource.split("/");
  const named = group === "" ? plural : `${plural}.${group}`;
  const part = subresource === undefined ? "" : ` --subresource=${subresource}`;
  const where = namespace === undefined ? " -A" : ` -n ${namespace}`;
  const who = as === undefined ? "" : ` --as ${as}`;
  return `Check with: kubectl auth can-i ${verb} ${named}${part}${where}${who}. `;
}

/** Plural of the kind that was asked for, when the server does not serve it: of a missing object the message is another. */
function missingKind(error: unknown): string | undefined {
  const message = error instanceof Error ? error.message : "";
  const isKind =
    /could not find the requested resource|404 page not found|expected the server to serve one of/.test(
      message,
    );
  return isKind
    ? /^(?:list|get|create|apply|patch|delete|watch) ([a-z0-9.-]+)/.exec(message)?.[1]
    : undefined;
}

function connectionFault(error: MeshError): string | undefined {
  if (error.code === "TIMEOUT" && /: no answer within/.test(error.message)) return "it does not answer";
  let current: unknown = error;
  // A cause chain longer than this is a loop or noise.
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    const { code } = current as NodeJS.ErrnoException;
    if (code !== undefined && Object.hasOwn(CONNECTION_FAULTS, code)) return CONNECTION_FAULTS[code];
    // A name with several addresses: one error for each, and no code of their own.
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
}
