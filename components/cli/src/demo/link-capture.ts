/** Watches the link between the nodes with tcpdump, and says what crossed it. */

import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { MeshError } from "@meltemi/runtime";

export interface Crossing {
  /** Packets between pods, by the well-known port they used (the lower of the two). */
  readonly packetsByPort: ReadonlyMap<number, number>;
  /** All bytes captured, headers included. */
  readonly bytes: number;
  contains(text: string): boolean;
}

export interface LinkCapture {
  stop(): Promise<Crossing>;
}

/** The pods of a demo send far less; a runaway is cut here. */
const MAX_PACKETS = 200_000;
const START_DEADLINE_MS = 10_000;

/** Starts watching; returns when tcpdump is listening. `file` is made and removed here. */
export function watchLink(
  link: { readonly namespace: string; readonly interface: string },
  file: string,
): Promise<LinkCapture> {
  const args = [
    "netns",
    "exec",
    link.namespace,
    "tcpdump",
    "-i",
    link.interface,
    "--immediate-mode",
    "-U",
    "-w",
    file,
  ];
  const child = spawn("ip", [...args, "-c", String(MAX_PACKETS), "tcp"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    let said = "";
    const fail = (): void =>
      reject(new MeshError("UNAVAILABLE", `start tcpdump on the link between the nodes: ${said.trim()}`));
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      fail();
    }, START_DEADLINE_MS);
    child.on("error", fail);
    // Once it listens, this rejects a promise that is settled already.
    void ended.then(fail);
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (!said.includes("listening on")) return;
      clearTimeout(timer);
      resolve({
        async stop() {
          child.kill("SIGINT");
          await ended;
          return readAndRemove(file);
        },
      });
    });
  });
}

async function readAndRemove(file: string): Promise<Crossing> {
  const bytes = await readFile(file);
  await rm(file, { force: true });
  return readCapture(bytes);
}

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_HEADER_BYTES = 14;

/** Reads a little-endian pcap file of Ethernet frames (the form tcpdump writes here). */
export function readCapture(file: Buffer): Crossing {
  const packetsByPort = new Map<number, number>();
  let offset = PCAP_HEADER_BYTES;
  while (offset + RECORD_HEADER_BYTES <= file.length) {
    const length = file.readUInt32LE(offset + 8);
    const frame = file.subarray(offset + RECORD_HEADER_BYTES, offset + RECORD_HEADER_BYTES + length);
    const port = wellKnownPort(frame);
    if (port !== undefined) packetsByPort.set(port, (packetsByPort.get(port) ?? 0) + 1);
    offset += RECORD_HEADER_BYTES + length;
  }
  return { packetsByPort, bytes: file.length, contains: (text) => file.includes(text) };
}

function wellKnownPort(frame: Buffer): number | undefined {
  if (frame.length < ETHERNET_HEADER_BYTES + 40) return undefined;
  const etherType = frame.readUInt16BE(12);
  let tcp: number;
  if (etherType === 0x0800) tcp = ETHERNET_HEADER_BYTES + ((frame[ETHERNET_HEADER_BYTES] ?? 0) & 0x0f) * 4;
  else if (etherType === 0x86dd) tcp = ETHERNET_HEADER_BYTES + 40;
  else return undefined;
  if (tcp + 4 > frame.length) return undefined;
  return Math.min(frame.readUInt16BE(tcp), frame.readUInt16BE(tcp + 2));
}
