/** The command line of `npm run image`. */

import { parseArgs } from "node:util";
import { PLATFORMS } from "./platform.ts";

export const USAGE: string = `npm run image -- [options]     builds the image of all components, without a container engine

  --hub <name>          first part of the image's names (default docker.io/meltemi)
  --tag <tag>           (default: the version of the project)
  --platform <p>        ${Object.keys(PLATFORMS).join(" or ")}, or both with a comma (default: this machine's)
  -o, --output <file>   the archive (default dist/meltemi-<tag>-<architecture>.tar)
  --push                put it into the registry that the hub names, with the credentials of docker login
  --snapshot            take Debian's packages from snapshot.debian.org, as of the lock
  --update-lock         only write the newest versions of Debian's packages into deploy/images/packages.lock.json
`;

export interface ImageArguments {
  readonly hub: string;
  readonly tag: string;
  readonly platforms: readonly string[];
  readonly output: string | undefined;
  readonly fromSnapshot: boolean;
  readonly updateLock: boolean;
  readonly push: boolean;
}

export type ArgumentsOutcome =
  | { readonly kind: "ok"; readonly value: ImageArguments }
  | { readonly kind: "help" }
  | { readonly kind: "bad"; readonly why: string };

export interface Defaults {
  readonly version: string;
  /** Node's name. */
  readonly architecture: string;
}

export function parseImageArguments(words: readonly string[], defaults: Defaults): ArgumentsOutcome {
  let values: ReturnType<typeof parseWords>;
  try {
    values = parseWords(words);
  } catch (error) {
    return { kind: "bad", why: error instanceof Error ? error.message : String(error) };
  }
  if (values.help === true) return { kind: "help" };
  const own = Object.entries(PLATFORMS).find(([, { node }]) => node === defaults.architecture)?.[0];
  const value: ImageArguments = {
    hub: values.hub ?? "docker.io/meltemi",
    tag: values.tag ?? defaults.version,
    platforms: (values.platform ?? own ?? "").split(","),
    output: values.output,
    fromSnapshot: values.snapshot === true,
    updateLock: values["update-lock"] === true,
    push: values.push === true,
  };
  const why = faultOf(value);
  return why === undefined ? { kind: "ok", value } : { kind: "bad", why };
}

function parseWords(words: readonly string[]) {
  return parseArgs({
    args: [...words],
    options: {
      hub: { type: "string" },
      tag: { type: "string" },
      platform: { type: "string" },
      output: { type: "string", short: "o" },
      snapshot: { type: "boolean" },
      push: { type: "boolean" },
      "update-lock": { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  }).values;
}

/** Grammar of references: github.com/distribution/reference. */
function faultOf({ hub, tag, platforms, output }: ImageArguments): string | undefined {
  if (!/^[a-z0-9.-]+(:\d+)?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(hub))
    return `--hub: expected a registry and a path such as docker.io/meltemi, got ${JSON.stringify(hub)}`;
  if (!/^\w[\w.-]{0,127}$/.test(tag))
    return `--tag: expected letters, digits, ".", "_" and "-", got ${JSON.stringify(tag)}`;
  const unknown = platforms.find((platform) => !Object.hasOwn(PLATFORMS, platform));
  if (unknown !== undefined)
    return `--platform: expected ${Object.keys(PLATFORMS).join(" or ")}, got ${JSON.stringify(unknown)}`;
  if (output !== undefined && platforms.length > 1)
    return "--output: expected one platform, since an archive holds one image";
  return undefined;
}
