/**
 * A TCP server to test against, as a program of its own:
 *   tcp-server.main.ts <port> [echo|double|discard] [address]
 * echo sends back what comes, double sends every chunk twice, discard only reads. It says `listening <port>` when it does,
 * and for each connection `accepted <peer address> <local address>`. Half-closed connections stay open for answers.
 */

import { createServer, type Socket } from "node:net";

const MODES = {
  echo: (socket: Socket): void => void socket.pipe(socket),
  discard: (socket: Socket): void => void socket.resume().on("end", () => socket.end()),
  double(socket: Socket): void {
    socket.on("data", (chunk) => {
      const room = socket.write(Buffer.concat([chunk, chunk]));
      if (room) return;
      socket.pause();
      socket.once("drain", () => socket.resume());
    });
    socket.on("end", () => socket.end());
  },
} as const;

const [port = "0", mode = "echo", address = "::"] = process.argv.slice(2);
if (!Object.hasOwn(MODES, mode)) {
  process.stderr.write(`mode ${mode}: expected ${Object.keys(MODES).join(", ")}\n`);
  process.exit(2);
}
const serve = MODES[mode as keyof typeof MODES];
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  process.stdout.write(`accepted ${socket.remoteAddress} ${socket.localAddress}\n`);
  socket.on("error", () => socket.destroy());
  serve(socket);
});
server.on("error", (error) => {
  process.stderr.write(`listen on ${address} port ${port}: ${error.message}\n`);
  process.exit(1);
});
server.listen(Number(port), address, () => {
  const bound = server.address();
  process.stdout.write(`listening ${bound !== null && typeof bound === "object" ? bound.port : port}\n`);
});
