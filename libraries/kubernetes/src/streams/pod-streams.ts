/** Byte streams into pods: a port of the pod's own loopback, or the standard input and output of a command there. */

import { Duplex } from "node:stream";
import { MeshError } from "@meltemi/runtime";
import type { WebSocket } from "ws";
import type { ClusterAccess } from "../access.ts";
import { PODS } from "../kinds.ts";
import { objectPath } from "../path.ts";
import { keyOfRef, type ObjectRef } from "../resource-type.ts";
import { createForwardReader, type FrameReader, INPUT_CHANNEL, readExecFrame } from "./channel-frames.ts";
import { openWebSocket } from "./open-web-socket.ts";

export interface ExecOptions {
  /** Default: the pod's default container. */
  readonly container?: string | undefined;
  readonly command: readonly string[];
}

export interface PodStreams {
  /**
   * A TCP connection to `port` on the pod's loopback, as `kubectl port-forward` makes it. Rejects with the server's refusal;
   * a port that nobody listens on ends the stream with an error. There is no half-close: an end ends both directions.
   */
  forward(pod: ObjectRef, port: number): Promise<Duplex>;
  /** Runs a command; the stream ends with an error when it fails, which carries the end of what it wrote to standard error. */
  exec(pod: ObjectRef, options: ExecOptions): Promise<Duplex>;
}

/** Pieces in which input is sent; what kubectl sends, and every server takes. */
const PIECE_BYTES = 32 * 1024;
/** Of standard error, for the message. */
const DIAGNOSTIC_LIMIT_CHARACTERS = 2048;

export function createPodStreams(access: ClusterAccess): PodStreams {
  return {
    async forward(pod, port) {
      const action = `forward port ${port} of pod ${keyOfRef(pod)}`;
      const path = `${objectPath(PODS, pod, "portforward")}?ports=${port}`;
      const socket = await openWebSocket(access, action, path, ["v4.channel.k8s.io"]);
      return new ChannelStream(socket, action, createForwardReader(), "anyTime");
    },
    async exec(pod, { container, command }) {
      const action = `exec in pod ${keyOfRef(pod)}`;
      const query = new URLSearchParams({ stdin: "true", stdout: "true", stderr: "true" });
      if (container !== undefined) query.set("container", container);
      for (const word of command) query.append("command", word);
      const path = `${objectPath(PODS, pod, "exec")}?${query.toString()}`;
      const socket = await openWebSocket(access, action, path, ["v5.channel.k8s.io", "v4.channel.k8s.io"]);
      return new ChannelStream(socket, action, readExecFrame, "afterEndFrame");
    },
  };
}

/** Closes standard input; only v5 knows it. */
const CLOSE_INPUT = Buffer.of(255, INPUT_CHANNEL);

class ChannelStream extends Duplex {
  readonly #socket: WebSocket;
  readonly #action: string;
  #diagnostics = "";
  #hasEnded = false;

  constructor(
    socket: WebSocket,
    action: string,
    read: FrameReader,
    /** When the server may close: for some kinds a close without a last frame is a broken connection. */
    closes: "anyTime" | "afterEndFrame",
  ) {
    super();
    this.#socket = socket;
    this.#action = action;
    socket.on("message", (message: Buffer) => this.#take(read(message)));
    socket.on("error", (cause) =>
      this.destroy(new MeshError("UNAVAILABLE", `${action}: the connection broke`, { cause })),
    );
    socket.on("close", () => {
      if (this.#hasEnded) return;
      if (closes === "anyTime") this.#end();
      else this.destroy(new MeshError("UNAVAILABLE", `${action}: the connection broke`));
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = Buffer.concat([Buffer.of(INPUT_CHANNEL), chunk.subarray(at, at + PIECE_BYTES)]);
      // The last piece is sent after all others.
      this.#socket.send(piece, at + PIECE_BYTES >= chunk.length ? done : undefined);
    }
    if (chunk.length === 0) done();
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket.protocol === "v5.channel.k8s.io") this.#socket.send(CLOSE_INPUT, () => done());
    else done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#hasEnded = true;
    this.#socket.terminate();
    done(error);
  }

  #take(frame: ReturnType<FrameReader>): void {
    switch (frame.kind) {
      case "bytes":
        if (!this.push(frame.bytes)) this.#socket.pause();
        return;
      case "diagnostic":
        this.#diagnostics = (this.#diagnostics + frame.text).slice(-DIAGNOSTIC_LIMIT_CHARACTERS);
        return;
      case "end":
        if (frame.failure === undefined) this.#end();
        else this.destroy(this.#failure(frame.failure));
        return;
      case "bad":
        this.destroy(new MeshError("PROTOCOL_VIOLATION", `${this.#action}: ${frame.why}`));
        return;
      case "nothing":
    }
  }

  #failure(why: string): MeshError {
    const said = this.#diagnostics.trim();
    return new MeshError("UNAVAILABLE", `${this.#action}: ${why}${said === "" ? "" : `: ${said}`}`);
  }

  #end(): void {
    this.#hasEnded = true;
    this.push(null);
  }
}
