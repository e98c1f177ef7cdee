/** An API server as a process of its own, to be killed: arguments are the folder of its state and its credentials. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createApiServer } from "../../components/local-cluster/src/api-server/server.ts";

const folder = process.argv[2] ?? "";
const read = (name: string): string => readFileSync(join(folder, name), "utf8");
const write = (line: string): void => void process.stderr.write(line);

const server = await createApiServer(
  {
    statePath: join(folder, "state.db"),
    tls: { keyPem: read("server.key"), certPem: read("server.crt"), caPem: read("ca.crt") },
    listeners: [{ kind: "address", host: "127.0.0.1", port: 0 }],
    serviceAccountIssuer: "https://kubernetes.default.svc",
    serviceAccountKeyPem: read("service-account.key"),
    adminToken: read("token"),
    clusterName: "test",
  },
  {
    clock: systemClock,
    logger: createLogger(
      { filter: new LogFilter("error"), format: "plain", nowMs: Date.now, write },
      "api-server",
    ),
    podLogs: async function* () {
      yield await Promise.resolve(Buffer.alloc(0));
    },
  },
);
console.log(server.addresses[0]?.port);
