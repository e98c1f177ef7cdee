/** Every proxy does what makes the comparison fair: it enforces the policy, and passes what the policy permits. */

import type { Scene } from "./scene.ts";
import { AUTHORITY } from "./traffic.ts";

const CASES = [
  { method: "GET", path: "/service-0/items/1", status: 200 },
  { method: "DELETE", path: "/service-0/items/1", status: 403 },
  { method: "GET", path: "/admin", status: 403 },
] as const;

/** Throws when a proxy answers otherwise: its figures would be for less work. */
export async function checkRefusals({ node, paths }: Scene): Promise<void> {
  for (const { name, proxy } of paths) {
    if (proxy === undefined) continue;
    for (const { method, path, status } of CASES) {
      const url = `http://127.0.0.1:${proxy.port("http1")}${path}`;
      const words = [
        "-sS",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "-X",
        method,
        "-H",
        `host: ${AUTHORITY}`,
        url,
      ];
      const { stdout } = await node.run(["curl", ...words]);
      if (stdout.trim() !== String(status))
        throw new Error(`${name}: ${method} ${path} was answered with ${stdout.trim()}, expected ${status}`);
    }
  }
}
