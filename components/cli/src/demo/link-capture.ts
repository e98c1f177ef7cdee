/** Watches the link between the nodes with tcpdump, and says what crossed it. */

import { spawn } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { MeshError } from "@meltemi/runtime";
import { type Crossing, readCapture } from "./crossing.ts";

export interface LinkCapture {
  /** Ends it. `pods`: the addresses whose packets are meant. */
  stop(pods: ReadonlySet<string>): Promise<Crossing>;
}

/** The pods of a demo send far less; a runaway is cut here, and the capture counts for nothing. */
const MAX_PACKETS = 200_000;
/** The largest packet of IP and its frame, and KiB for a thousand of them: the usual ring has place for eight, and drops under load. */
const RING: readonly string[] = ["-s", "66000", "-B", "65536"];
const START_DEADLINE_MS = 10_000;

/** Starts watching all of IP; returns when tcpdump is listening. `file` is made and removed here. */
export function watchLink(
  link: { readonly namespace: string; readonly interface: string },
  file: string,
): Promise<LinkCapture> {
  const tcpdump = ["tcpdump", "-i", link.interface, ...RING, "--immediate-mode", "-U", "-w", file];
  const args = ["netns", "exec", link.namespace, ...tcpdump, "-c", String(MAX_PACKETS), "ip or ip6"];
  const child = spawn("ip", args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  let running = true;
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve())).then(() => {
    running = false;
  });
  return new Promise((resolve, reject) => {
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
        async stop(pods) {
          const complete = running;
          child.kill("SIGINT");
          await ended;
          const bytes = await readFile(file);
          await rm(file, { force: true });
          if (!complete || !/^0 packets dropped by kernel/m.test(said))
            throw new MeshError("UNAVAILABLE", `watch the link: tcpdump did not see all: ${said.trim()}`);
          return readCapture(bytes, pods);
        },
      });
    });
  });
}
