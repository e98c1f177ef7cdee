/**
 * A small gRPC program for the demo; it knows nothing of the mesh.
 *
 *     grpc-echo serve <port>                       answers /demo.Echo/Say with the request's bytes
 *     grpc-echo say <host:port> <text> [times]     calls it and prints the answers
 */
import { Client, credentials, Server, ServerCredentials } from "@grpc/grpc-js";

const PATH = "/demo.Echo/Say";
const CALL_DEADLINE_MS = 5000;
const bytes = (value: Buffer): Buffer => value;

function serve(port: string): void {
  const server = new Server();
  const method = {
    path: PATH,
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  } as const;
  server.addService(
    { say: method },
    {
      say: (call: { request: Buffer }, reply: (error: null, value: Buffer) => void) =>
        reply(null, call.request),
    },
  );
  server.bindAsync(`[::]:${port}`, ServerCredentials.createInsecure(), (error) => {
    if (error === null) return;
    console.error(`listen on port ${port}: ${error.message}`);
    process.exit(1);
  });
}

function say(client: Client, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      PATH,
      bytes,
      bytes,
      Buffer.from(text),
      { deadline: Date.now() + CALL_DEADLINE_MS },
      (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error("empty answer"));
        else resolve(answer.toString());
      },
    );
  });
}

const [mode, target = "", text = "", times = "1"] = process.argv.slice(2);
if (mode === "serve") serve(target);
else if (mode === "say") {
  const client = new Client(target, credentials.createInsecure());
  for (let i = 0; i < Number(times); i++) console.log(await say(client, text));
  client.close();
} else {
  console.error("usage: grpc-echo serve <port> | grpc-echo say <host:port> <text> [times]");
  process.exitCode = 2;
}
