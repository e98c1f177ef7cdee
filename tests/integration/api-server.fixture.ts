/** An API server on loopback with its own state, and the machine's real kubectl pointed at it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import {
  apiServerNames,
  createAdminToken,
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
  kubeconfigText,
} from "../../components/local-cluster/src/api-server/credentials.ts";
import { type ApiServer, createApiServer } from "../../components/local-cluster/src/api-server/server.ts";

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TestCluster {
  readonly folder: string;
  readonly kubeconfig: string;
  readonly adminToken: string;
  readonly caPem: string;
  readonly port: number;
  run(args: readonly string[], input?: string): Promise<Ran>;
  /** Must succeed, and without a word on stderr: that is where kubectl complains. */
  kubectl(...args: readonly string[]): Promise<string>;
  /** The same with `-f -`. */
  feed(input: string, ...args: readonly string[]): Promise<string>;
  refused(pattern: RegExp, args: readonly string[], input?: string): Promise<void>;
  close(): Promise<void>;
}

/** No command of these waits for anything longer than its own `--timeout`. */
const COMMAND_TIMEOUT_MS = 20_000;

export interface TestClusterOptions {
  /** It was stopped and started once: its memory of changes begins there. */
  readonly restarted?: boolean;
}

export async function startTestCluster({ restarted = false }: TestClusterOptions = {}): Promise<TestCluster> {
  const folder = mkdtempSync(join(tmpdir(), "api-server-"));
  const kubeconfig = join(folder, "kubeconfig");
  const adminToken = createAdminToken();
  const authority = createClusterAuthority("test-ca", Date.now());
  if (restarted) await (await startServer(folder, adminToken, authority)).close();
  const server = await startServer(folder, adminToken, authority);
  const port = server.addresses[0]?.port ?? 0;
  const user = { kind: "token", token: adminToken } as const;
  const caPem = authority.certPem;
  writeFileSync(
    kubeconfig,
    kubeconfigText({ clusterName: "test", server: `https://127.0.0.1:${port}`, caPem, user }),
    { mode: 0o600 },
  );

  function run(args: readonly string[], input = ""): Promise<Ran> {
    return new Promise((resolve) => {
      const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: folder };
      const child = execFile(
        "kubectl",
        [...args],
        { env, timeout: COMMAND_TIMEOUT_MS },
        (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr }),
      );
      // kubectl takes what begins with a brace for JSON; a document marker says that it is YAML.
      child.stdin?.end(input.startsWith("{") && !input.startsWith('{"') ? `---\n${input}` : input);
    });
  }

  async function succeed(args: readonly string[], input = ""): Promise<string> {
    const { code, stdout, stderr } = await run(args, input);
    assert.equal(`${code} ${stderr}`, "0 ", `kubectl ${args.join(" ")}`);
    return stdout.trim();
  }

  return {
    folder,
    kubeconfig,
    adminToken,
    caPem,
    port,
    run,
    kubectl: (...args) => succeed(args),
    feed: (input, ...args) => succeed([...args, "-f", "-"], input),
    async refused(pattern, args, input = "") {
      const { code, stderr } = await run(args, input);
      assert.notEqual(code, 0, `kubectl ${args.join(" ")} should be refused`);
      assert.match(stderr, pattern);
    },
    async close() {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startServer(
  folder: string,
  adminToken: string,
  authority: { keyPem: string; certPem: string },
): Promise<ApiServer> {
  const request = {
    commonName: "kube-apiserver",
    subjectAlternativeNames: apiServerNames([]),
    use: "server",
  } as const;
  const certificate = issueCertificate(authority, "test-ca", request, Date.now());
  const write = (line: string): void => void process.stderr.write(line);
  return createApiServer(
    {
      statePath: join(folder, "state.db"),
      tls: { keyPem: certificate.keyPem, certPem: certificate.certPem, caPem: authority.certPem },
      listeners: [{ kind: "address", host: "127.0.0.1", port: 0 }],
      serviceAccountIssuer: "https://kubernetes.default.svc.cluster.local",
      serviceAccountKeyPem: createServiceAccountKey(),
      adminToken,
      clusterName: "test",
    },
    {
      clock: systemClock,
      logger: createLogger(
        { filter: new LogFilter("error"), format: "plain", nowMs: Date.now, write },
        "api-server",
      ),
      podLogs: async function* (namespace, pod, container, options) {
        yield await Promise.resolve(
          Buffer.from(`${namespace}/${pod}/${container} tail=${options.tailLines ?? "all"}\n`),
        );
      },
    },
  );
}
