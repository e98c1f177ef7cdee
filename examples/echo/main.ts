/**
 * A program for trying and testing a mesh it knows nothing of: it says who it is and what it received, does on command what
 * servers do on bad days, and makes calls.
 *
 *     echo serve http=8080 grpc=7070 tcp=9090 tls=8443     listens; every http port speaks HTTP/1.0, 1.1, h2c and WebSocket
 *     echo call                                            reads calls from standard input, one JSON object a line, and
 *                                                          answers each with one line; ends with its input
 *
 * Environment of the server: POD_NAME, VERSION; TLS_CERTIFICATE and TLS_KEY, files in PEM, for tls ports. The commands are
 * in server/command.ts, the calls in client/call.ts.
 */
import { readFileSync } from "node:fs";
import { answerCalls } from "./client/answer-calls.ts";
import { createBehaviour } from "./server/command.ts";
import { listen, type Served } from "./server/listen.ts";

const USAGE = "usage: echo serve <http|grpc|tcp|tls|proxied>=<port> … | echo call";

/** As programs in Kubernetes should: told to end, it serves on until those who balance requests have heard of it. */
const SERVE_ON_MS = 800;
const KINDS: readonly Served["kind"][] = ["http", "grpc", "tcp", "tls", "proxied"];
const isKind = (word: string | undefined): word is Served["kind"] => KINDS.some((kind) => kind === word);

function readServed(word: string): Served {
  const [kind, port] = word.split("=");
  if (!isKind(kind) || !/^\d{1,5}$/.test(port ?? ""))
    throw new Error(`${USAGE}; got ${JSON.stringify(word)}`);
  return { kind, port: Number(port) };
}

async function serve(words: readonly string[]): Promise<void> {
  const environment = process.env;
  const server = {
    identity: { pod: environment["POD_NAME"] ?? "", version: environment["VERSION"] ?? "" },
    behaviour: createBehaviour(),
  };
  const { TLS_CERTIFICATE: certificate, TLS_KEY: key } = environment;
  const tls =
    certificate === undefined || key === undefined
      ? undefined
      : { cert: readFileSync(certificate), key: readFileSync(key) };
  for (const word of words) await listen(readServed(word), server, tls);
  process.once("SIGTERM", () => void setTimeout(() => process.exit(0), SERVE_ON_MS));
}

const [mode, ...words] = process.argv.slice(2);
try {
  if (mode === "serve" && words.length > 0) await serve(words);
  else if (mode === "call" && words.length === 0) await answerCalls(process.stdin, process.stdout);
  else throw new Error(USAGE);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
