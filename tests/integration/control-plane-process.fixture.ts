/** The control plane as a process, with the API server that a kubeconfig names. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";

export interface Replica extends AsyncDisposable {
  readonly name: string;
  readonly securePort: number;
  readonly webhookPort: number;
  readonly process: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export async function startReplica(name: string, kubeconfigPath: string): Promise<Replica> {
  const program = new URL("../../components/control-plane/src/main.ts", import.meta.url).pathname;
  const [secure, http, https] = [await freePort(), await freePort(), await freePort()];
  const doors = { secureGRPCAddr: secure, httpAddr: http, grpcAddr: 0, monitoringAddr: 0, httpsAddr: https };
  const args = Object.entries(doors).map(([flag, port]) => `--${flag}=127.0.0.1:${port}`);
  const child = spawn(process.execPath, [program, "discovery", ...args], {
    env: {
      ...process.env,
      KUBECONFIG: kubeconfigPath,
      POD_NAME: name,
      WAYPOINT_IMAGE: "docker.io/meltemi/proxyv2:test",
      PILOT_DEBOUNCE_AFTER: "20ms",
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  return {
    name,
    securePort: secure,
    webhookPort: https,
    process: child,
    output: () => output,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

export function isServing({ output }: Replica): boolean {
  return output().includes("control plane is serving");
}
