/** The page of environment variables, from what each process asks for. */

import { readConfig as readNodeAgent } from "../../components/cni/src/config.ts";
import { readConfig as readControlPlane } from "../../components/control-plane/src/config.ts";
import { readConfig as readWaypoint } from "../../components/waypoint/src/config.ts";
import { readConfig as readZtunnel } from "../../components/ztunnel/src/config.ts";
import { code, page, table } from "./markdown.ts";
import { type ReadVariable, recordVariables } from "./record-variables.ts";
import {
  COMMAND_LINE_VARIABLES,
  CONTROL_PLANE_VARIABLES,
  type Meaning,
  NODE_AGENT_VARIABLES,
  PLUGIN_VARIABLES,
  SHARED_VARIABLES,
  WAYPOINT_VARIABLES,
  ZTUNNEL_VARIABLES,
} from "./variables.ts";

export interface ProcessVariables {
  readonly title: string;
  readonly set: string;
  readonly read: readonly ReadVariable[];
  readonly meanings: Readonly<Record<string, Meaning>>;
}

/** So that the branches are gone through too which a default leaves out. */
const TIMED = { CONNECTION_TERMINATION_DEADLINE: "5s" };
const GRACEFUL = { TERMINATION_GRACE_PERIOD_SECONDS: "30" };

export function processVariables(): readonly ProcessVariables[] {
  const waypoint = ["proxy", "waypoint"];
  return [
    {
      title: "ztunnel",
      set: "`env` of the chart ztunnel (`values.ztunnel.env`)",
      read: recordVariables(
        () => readZtunnel({}),
        () => readZtunnel({ ...TIMED, PROXY_MODE: "dedicated" }),
        () => readZtunnel(GRACEFUL),
      ),
      meanings: { ...SHARED_VARIABLES, ...ZTUNNEL_VARIABLES },
    },
    {
      title: "waypoint",
      set: "a patch of the Deployment ([what it is deployed as](../waypoints.md#what-it-is-deployed-as))",
      read: recordVariables(
        () => readWaypoint(waypoint, {}),
        () => readWaypoint(waypoint, TIMED),
        () => readWaypoint(waypoint, GRACEFUL),
      ),
      meanings: { ...SHARED_VARIABLES, ...WAYPOINT_VARIABLES },
    },
    {
      title: "control plane",
      set: "`env` of the chart istiod (`values.pilot.env`)",
      read: recordVariables(
        () => readControlPlane([], {}),
        () => readControlPlane([], { DEFAULT_WORKLOAD_CERT_TTL: "1h", MAX_WORKLOAD_CERT_TTL: "1h" }),
      ),
      meanings: { ...SHARED_VARIABLES, ...CONTROL_PLANE_VARIABLES },
    },
    {
      title: "node agent",
      set: "`env` of the chart cni (`values.cni.env`)",
      read: recordVariables(
        () => readNodeAgent({}),
        () => readNodeAgent({ ISTIO_OWNED_CNI_CONFIG: "true" }),
      ),
      meanings: { ...SHARED_VARIABLES, ...NODE_AGENT_VARIABLES },
    },
  ];
}

export function environmentPage(): string {
  return page(
    "Environment variables",
    "what each process reads, and `tools/reference/variables.ts`",
    "The charts and `istioctl install` set what is needed. A value that cannot be read ends the process at its start, with a sentence for each variable at fault.",
    ...processVariables().map(describeProcess),
    "## istioctl, meltemi",
    table(
      ["variable", "default", "meaning"],
      Object.entries(COMMAND_LINE_VARIABLES).map(([name, { about, fallback }]) => [
        code(name),
        code(fallback ?? ""),
        about,
      ]),
    ),
    `The CNI plugin is given ${PLUGIN_VARIABLES.map(code).join(", ")} by the container runtime, as the CNI specification says.`,
  );
}

function describeProcess({ title, set, read, meanings }: ProcessVariables): string {
  const asked = new Set(read.map(({ name }) => name));
  const elsewhere = Object.keys(meanings).filter((name) => !asked.has(name) && !(name in SHARED_VARIABLES));
  const rows = [
    ...read.map(({ name, type, fallback }) => {
      const meaning = meanings[name];
      return [code(name), type, defaultText(fallback, meaning), meaning?.about ?? ""];
    }),
    ...elsewhere.map((name) => [
      code(name),
      "text",
      defaultText(undefined, meanings[name]),
      meanings[name]?.about ?? "",
    ]),
  ];
  return [`## ${title}`, `Set by ${set}.`, table(["variable", "value", "default", "meaning"], rows)].join(
    "\n\n",
  );
}

/** A default in words has spaces. */
function defaultText(read: string | undefined, meaning: Meaning | undefined): string {
  const text = meaning?.fallback ?? read ?? "";
  return /\s/.test(text) ? text : code(text);
}
