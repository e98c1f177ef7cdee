/** A real kube-apiserver with its etcd on loopback, for suites that compare API servers. Needs no root. */

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "@meltemi/testkit";
import { ensureBuilt } from "./cluster/build.ts";
import { type Cache, openCache } from "./cluster/cache.ts";
import { apiServer, type CommandLine, controllerManager, etcd } from "./cluster/control-plane.ts";
import { ADMIN, FILES, makeCredentials, readToken, renderKubeconfig } from "./cluster/credentials.ts";
import { createProgress } from "./cluster/progress.ts";
import { runProgram } from "./cluster/run-program.ts";

export interface KubeApiServerOptions {
  /** Flags of kube-apiserver without their dashes, over those that it has anyway. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Starts kube-controller-manager too: service accounts and their tokens, garbage collection, namespaces that end. Default false. */
  readonly controllers?: boolean;
}

export interface KubeApiServer extends AsyncDisposable {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** PEM of the authority that the server's certificate is of. */
  readonly ca: string;
  /** The administrator's. */
  readonly token: string;
  /** The end of the programs' logs. */
  logs(): Promise<string>;
  stop(): Promise<void>;
}

/** Four seconds on a quiet machine; two cores that are busy with everything else take ten times that. */
const READY_DEADLINE_MS = 120_000;
const HOST = "127.0.0.1";

/**
 * Builds the programs when this machine has none yet (minutes, told on standard error), then starts them on ports of their own. They end
 * with this process, even when that is killed.
 */
export async function startKubeApiServer(options: KubeApiServerOptions = {}): Promise<KubeApiServer> {
  const cache = openCache();
  const progress = createProgress(
    (text) => void process.stderr.write(text),
    () => performance.now(),
  );
  const more = options.controllers ? (["kube-controller-manager"] as const) : [];
  await ensureBuilt(cache, ["kube-apiserver", ...more], progress);
  const folder = await mkdtemp(join(tmpdir(), "meltemi-kube-apiserver-"));
  const children: ChildProcess[] = [];
  const start = (name: string, line: CommandLine): void => void children.push(run(folder, name, line));
  const stop = async (): Promise<void> => {
    await Promise.all(children.splice(0).reverse().map(end));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const access = await startServer(cache, folder, options, start);
    if (options.controllers)
      start("kube-controller-manager", controllerManager(cache, { folder, kubeconfig: access.kubeconfig }));
    return { ...access, logs: () => logsOf(folder), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    const logs = await logsOf(folder);
    await stop();
    throw new Error(`start kube-apiserver: ${(error as Error).message}\n${logs}`, { cause: error });
  }
}

async function startServer(
  cache: Cache,
  folder: string,
  options: KubeApiServerOptions,
  start: (name: string, line: CommandLine) => void,
): Promise<Pick<KubeApiServer, "kubeconfig" | "url" | "ca" | "token">> {
  const [client = 0, peer = 0, port = 0] = await freePorts(3);
  const etcdUrl = `http://${HOST}:${client}`;
  const url = `https://${HOST}:${port}`;
  await makeCredentials(folder, { dns: ["localhost"], ips: [HOST] }, [ADMIN]);
  start(
    "etcd",
    etcd(cache, {
      dataFolder: join(folder, "etcd"),
      clientUrl: etcdUrl,
      peerUrl: `http://${HOST}:${peer}`,
    }),
  );
  const place = { folder, address: HOST, port, etcdUrl, alone: true };
  start("kube-apiserver", apiServer(cache, place, options.flags));
  const kubeconfig = join(folder, "kubeconfig");
  await writeFile(kubeconfig, await renderKubeconfig(folder, ADMIN, url), { mode: 0o600 });
  const ca = await readFile(join(folder, FILES.caCert), "utf8");
  const token = await readToken(folder, ADMIN);
  await eventually(() => isReady(cache, kubeconfig), { deadlineMs: READY_DEADLINE_MS, everyMs: 250 });
  return { kubeconfig, url, ca, token };
}

/** Ends with this process (prctl(2), PR_SET_PDEATHSIG). */
function run(folder: string, name: string, { program, args }: CommandLine): ChildProcess {
  const log = openSync(join(folder, `${name}.log`), "a");
  const words = ["--pdeathsig", "KILL", program, ...args];
  const child = spawn("setpriv", words, { stdio: ["ignore", log, log] });
  closeSync(log);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
}

async function isReady(cache: Cache, kubeconfig: string): Promise<boolean> {
  const words = ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"];
  return (await runProgram(cache.debian("usr/bin/kubectl"), words, { timeoutMs: 5_000 })) === "ok";
}

async function logsOf(folder: string): Promise<string> {
  const tails = ["etcd", "kube-apiserver", "kube-controller-manager"].map(async (name) => {
    const text = await readFile(join(folder, `${name}.log`), "utf8").catch(() => "");
    return text === "" ? "" : `${name}:\n${text.split("\n").slice(-20).join("\n")}`;
  });
  return (await Promise.all(tails)).join("\n");
}

/** Free a moment ago; all are held until the last is known, so that they differ. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once("error", reject);
          server.listen(0, HOST, () => {
            const address = server.address();
            resolve(typeof address === "object" && address !== null ? address.port : 0);
          });
        }),
    ),
  );
  for (const server of servers) server.close();
  return ports;
}
