/** The real helm, and what it renders of our charts. */
import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "../../components/cli/src/manifests/objects.ts";
import type { Tree } from "../../components/cli/src/manifests/tree.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Definitions of kinds are most of it. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
/** `--wait` waits as long as it is told to; all else takes seconds. */
const COMMAND_TIMEOUT_MS = 110_000;

let folder = "";

/** `helm`, unpacked when it was not yet. */
function helmProgram(): string {
  folder ||= execFileSync(process.execPath, [`${ROOT}/tools/helm.ts`], { encoding: "utf8" }).trim();
  return `${folder}/helm`;
}

export function chartFolder(name: string): string {
  return `${ROOT}/deploy/helm/${name}`;
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Helm's own state goes to `home`. */
export function helm(args: readonly string[], input = "", env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve) => {
    const options = {
      env: { ...process.env, HELM_NAMESPACE: "", ...env },
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: COMMAND_TIMEOUT_MS,
    };
    const child = execFile(helmProgram(), args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}

export interface HelmCluster {
  /** As --kube-version. */
  readonly version: string;
  readonly apis: readonly string[];
}

const rendered = new Map<string, Promise<readonly Manifest[]>>();

/** The same question is asked once: most installations have the same base. */
export function helmTemplate(...question: Parameters<typeof render>): Promise<readonly Manifest[]> {
  const key = JSON.stringify(question);
  const known = rendered.get(key);
  const answer = known ?? render(...question);
  rendered.set(key, answer);
  return answer;
}

/** Objects of a chart for these values. Throws with helm's words when it refuses. */
async function render(
  chart: string,
  release: string,
  namespace: string,
  values: Tree,
  cluster: HelmCluster,
): Promise<readonly Manifest[]> {
  const apis = cluster.apis.flatMap((api) => ["--api-versions", api]);
  const args = ["template", release, chartFolder(chart), "-n", namespace, "--kube-version", cluster.version];
  const { code, stdout, stderr } = await helm([...args, ...apis, "-f", "-"], JSON.stringify(values));
  if (code !== 0) throw new Error(stderr);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS({ maxAliasCount: 0 }) as Manifest | null)
    .filter((object) => object !== null);
}
