/** Creating what the server must refuse, and in which words. */

import assert from "node:assert/strict";
import { assertRefused, type Contract, makeNamespace, type Refused, textAt } from "./contract.ts";

const CONTAINER = { name: "c", image: "i" };

export function refusingCases({ case: contract }: Contract): void {
  const refusals: readonly {
    readonly name: string;
    readonly plural: string;
    readonly body: unknown;
    readonly want: Refused;
  }[] = [
    {
      name: "a name that is none",
      plural: "configmaps",
      body: { metadata: { name: "No_Name" } },
      want: {
        code: 422,
        reason: "Invalid",
        message:
          /^ConfigMap "No_Name" is invalid: metadata\.name: Invalid value: "No_Name": a (lowercase RFC 1123|DNS-1123) subdomain must consist of lower case alphanumeric characters/,
      },
    },
    {
      name: "no name at all",
      plural: "configmaps",
      body: { data: {} },
      want: {
        code: 422,
        reason: "Invalid",
        message: /metadata\.name: Required value: name or generateName is required/,
      },
    },
    {
      name: "a label that is none",
      plural: "configmaps",
      body: { metadata: { name: "a", labels: { "a b": "c" } } },
      want: {
        code: 422,
        reason: "Invalid",
        message: /metadata\.labels: Invalid value: "a b": name part must consist of/,
      },
    },
    {
      name: "a resourceVersion",
      plural: "configmaps",
      body: { metadata: { name: "a", resourceVersion: "1" } },
      want: {
        code: 500,
        reason: "",
        message: /resourceVersion should not be set on objects to be created/,
      },
    },
    {
      name: "another namespace's",
      plural: "configmaps",
      body: { metadata: { name: "a", namespace: "elsewhere" } },
      want: {
        code: 400,
        reason: "BadRequest",
        message: /the namespace of the (provided )?object \(?.*does not match the namespace.* request/i,
      },
    },
    {
      name: "another kind",
      plural: "configmaps",
      body: { apiVersion: "v1", kind: "Secret", metadata: { name: "a" } },
      want: {
        code: 400,
        reason: "BadRequest",
        message: /Secret in version "v1" cannot be handled as a ConfigMap/,
      },
    },
    {
      name: "a wrong type",
      plural: "configmaps",
      body: { metadata: { name: "a" }, data: { a: 1 } },
      want: {
        code: 400,
        reason: "BadRequest",
        message: /ConfigMap in version "v1" cannot be handled as a ConfigMap/,
      },
    },
    {
      name: "a Pod without containers",
      plural: "pods",
      body: { metadata: { name: "a" }, spec: { containers: [] } },
      want: { code: 422, reason: "Invalid", message: /spec\.containers: Required value/ },
    },
    {
      name: "a Pod with two containers of one name",
      plural: "pods",
      body: { metadata: { name: "a" }, spec: { containers: [CONTAINER, CONTAINER] } },
      want: { code: 422, reason: "Invalid", message: /spec\.containers\[1\]\.name: Duplicate value: "c"/ },
    },
    {
      name: "a Service without ports",
      plural: "services",
      body: { metadata: { name: "a" }, spec: { selector: { a: "b" } } },
      want: { code: 422, reason: "Invalid", message: /spec\.ports: Required value/ },
    },
    {
      name: "a Service of an address that is none",
      plural: "services",
      body: { metadata: { name: "a" }, spec: { clusterIP: "1.2.3", ports: [{ port: 80, protocol: "TCP" }] } },
      want: { code: 422, reason: "Invalid", message: /spec\.clusterIPs?(\[0\])?: Invalid value/ },
    },
    {
      name: "a Secret whose data is no base64",
      plural: "secrets",
      body: { metadata: { name: "a" }, data: { a: "%%%" } },
      want: { code: 400, reason: "BadRequest", message: /illegal base64 data/ },
    },
  ];
  for (const { name, plural, body, want } of refusals)
    contract(`create refuses ${name}`, async (api) => {
      const space = await makeNamespace(api, "refusals");
      const answer = await api.call("POST", `${space}/${plural}`, { body });
      if (want.code === 500) {
        // Newer servers answer 400.
        assert.ok(answer.code >= 400);
        assert.match(textAt(answer.body, "message"), want.message as RegExp);
      } else assertRefused(answer, want);
    });
}
