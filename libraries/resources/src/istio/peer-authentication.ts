/** PeerAuthentication, security.istio.io/v1 (reference: l7-and-cli §2.2). */

import type { Metadata } from "../metadata.ts";
import { fieldsAt, parseObject, textAt } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import { type Fields, map, type ObjectSchema, object, oneOf, type TextSchema } from "../schema/schema.ts";
import { readLabels, SELECTOR } from "./target.ts";

/** `unset` inherits from the next wider scope. */
export type MutualTlsMode = "unset" | "disable" | "permissive" | "strict";

export interface PeerAuthentication {
  readonly metadata: Metadata;
  /** Undefined applies to the namespace, or to the mesh when it is the root namespace. */
  readonly selector: ReadonlyMap<string, string> | undefined;
  readonly mode: MutualTlsMode;
  /** Port of the workload (not of a service) → mode. Only with a selector. */
  readonly portModes: ReadonlyMap<number, MutualTlsMode>;
}

const MODE: TextSchema = oneOf("UNSET", "DISABLE", "PERMISSIVE", "STRICT");
const MUTUAL_TLS: ObjectSchema = object({ mode: MODE });

export const PEER_AUTHENTICATION_SPEC: ObjectSchema = object(
  {
    selector: SELECTOR,
    mtls: MUTUAL_TLS,
    portLevelMtls: map(MUTUAL_TLS, {
      minProperties: 1,
      rules: [
        {
          message: "port must be between 1-65535",
          cel: "self.all(key, 0 < int(key) && int(key) <= 65535)",
          holds: (ports) =>
            Object.keys(ports).every((port) => /^[1-9]\d{0,4}$/.test(port) && Number(port) <= 65535),
        },
      ],
    }),
  },
  {
    rules: [
      {
        message: "portLevelMtls requires selector",
        cel:
          "!has(self.portLevelMtls) || (has(self.selector) && has(self.selector.matchLabels) && " +
          "self.selector.matchLabels.size() > 0)",
        holds: (spec) => spec["portLevelMtls"] === undefined || selectorOf(spec) !== undefined,
      },
    ],
  },
);

export function parsePeerAuthentication(value: unknown): Parsed<PeerAuthentication> {
  return parseObject("PeerAuthentication", PEER_AUTHENTICATION_SPEC, value, (spec, metadata) => {
    const ports = Object.entries(fieldsAt(spec, "portLevelMtls") ?? {}) as [string, Fields][];
    return {
      metadata,
      selector: selectorOf(spec),
      mode: readMode(fieldsAt(spec, "mtls")),
      portModes: new Map(ports.map(([port, mutualTls]) => [Number(port), readMode(mutualTls)])),
    };
  });
}

/** An empty selector selects everything, as if it were not there. */
function selectorOf(spec: Fields): ReadonlyMap<string, string> | undefined {
  const labels = readLabels(fieldsAt(fieldsAt(spec, "selector") ?? {}, "matchLabels"));
  return labels.size === 0 ? undefined : labels;
}

const MODES: Readonly<Record<string, MutualTlsMode>> = {
  DISABLE: "disable",
  PERMISSIVE: "permissive",
  STRICT: "strict",
};

function readMode(mutualTls: Fields | undefined): MutualTlsMode {
  return MODES[textAt(mutualTls ?? {}, "mode") ?? "UNSET"] ?? "unset";
}
