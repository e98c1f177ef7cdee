/** Network namespaces with real kernels: where sockets are made, which marks and addresses they have, and the way back. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import dns from "node:dns/promises";
import { openSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { after, before, test } from "node:test";
import {
  closeFd,
  connectTcp,
  createTcpListener,
  currentNetworkNamespace,
  errnoName,
  localAddress,
  type NetworkNamespace,
  netnsCookie,
  networkNamespaceFromFd,
  openNetworkNamespace,
  sameNetworkNamespace,
  socketMark,
  startTcpConnect,
  withNetworkNamespace,
} from "@meltemi/linux";

const NAME = "mlx-linux";
const ip = (...words: string[]): string => execFileSync("ip", words, { encoding: "utf8", stdio: "pipe" });

function removeLeftovers(): void {
  try {
    ip("netns", "del", NAME);
  } catch {
    // Not there: nothing was left over.
  }
}

let pod: NetworkNamespace;
before(() => {
  removeLeftovers();
  ip("netns", "add", NAME);
  ip("-n", NAME, "link", "set", "lo", "up");
  ip("-n", NAME, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1");
  ip("-n", NAME, "addr", "add", "10.77.0.1/24", "dev", "veth0");
  for (const device of ["veth0", "veth1"]) ip("-n", NAME, "link", "set", device, "up");
  pod = openNetworkNamespace(`/var/run/netns/${NAME}`);
});
after(() => {
  pod.close();
  removeLeftovers();
});

test("a listener made inside is inside, marked and transparent, and reachable only from there", async () => {
  const options = { address: { ip: "::", port: 15008 }, mark: 1337, reusePort: true, transparent: true };
  const listener = createTcpListener({ ...options, netns: pod, backlog: 128 });
  assert.equal(listener.transparent, true);
  assert.equal(socketMark(listener.fd), 1337);
  const server = createServer((socket) => socket.end(`local ${socket.localAddress}`)).listen({
    fd: listener.fd,
  });
  const destination = { ip: "10.77.0.1", port: 15008 };
  const socket = await connectTcp({ netns: pod, destination });
  assert.equal(Buffer.concat(await socket.toArray()).toString(), "local ::ffff:10.77.0.1");
  socket.end();
  await assert.rejects(connectTcp({ destination: { ip: "127.0.0.1", port: 15008 } }), /ECONNREFUSED/);
  server.close();
});

test("a stranger's address can be the source with transparent, and not without", () => {
  const options = {
    netns: pod,
    source: { ip: "10.9.9.9", port: 0 },
    destination: { ip: "10.77.0.1", port: 9 },
  };
  assert.throws(() => startTcpConnect(options), /bind to source.*EADDRNOTAVAIL/);
  const listener = createTcpListener({ netns: pod, address: options.destination, backlog: 1 });
  const fd = startTcpConnect({ ...options, transparent: true, mark: 1337 });
  assert.equal(localAddress(fd).ip, "10.9.9.9");
  closeFd(fd);
  closeFd(listener.fd);
});

test("connectTcp waits for the handshake, and tells of a host that is not there", async () => {
  const destination = { ip: "10.77.0.200", port: 80 };
  await assert.rejects(connectTcp({ netns: pod, destination }), { code: "EHOSTUNREACH" });
  const stop = new AbortController();
  const pending = connectTcp({ netns: pod, destination }, stop.signal);
  stop.abort(new Error("no longer wanted"));
  await assert.rejects(pending, /no longer wanted/);
});

test("the thread is back home after work, after a throw, and after a promise was refused", async () => {
  using home = currentNetworkNamespace();
  const isHome = (): boolean => {
    using now = currentNetworkNamespace();
    return sameNetworkNamespace(now, home);
  };
  withNetworkNamespace(pod, () => assert.equal(isHome(), false));
  assert.ok(isHome());
  assert.throws(() =>
    withNetworkNamespace(pod, () => {
      throw new Error("inside");
    }),
  );
  assert.ok(isHome());
  assert.throws(() => withNetworkNamespace(pod, () => Promise.resolve(1)), { code: "INPUT_INVALID" });
  assert.ok(isHome());
  assert.equal((await dns.lookup("localhost", { family: 4 })).address, "127.0.0.1");
});

test("work inside work comes back to where it was begun", () => {
  using home = currentNetworkNamespace();
  const isIn = (netns: NetworkNamespace): boolean => {
    using now = currentNetworkNamespace();
    return sameNetworkNamespace(now, netns);
  };
  withNetworkNamespace(pod, () => {
    withNetworkNamespace(home, () => assert.ok(isIn(home)));
    assert.ok(isIn(pod));
  });
  assert.ok(isIn(home));
});

test("entering a namespace needs no descriptor of its own", () => {
  withNetworkNamespace(pod, () => undefined);
  const open = (): number => readdirSync("/proc/self/fd").length;
  const before = open();
  withNetworkNamespace(pod, () => assert.equal(open(), before));
  assert.equal(open(), before);
});

test("cookies tell namespaces apart and stay the same", () => {
  using home = currentNetworkNamespace();
  assert.equal(netnsCookie(pod), netnsCookie(pod));
  assert.notEqual(netnsCookie(pod), netnsCookie(home));
});

test("a descriptor that is no network namespace is refused and closed", () => {
  for (const path of ["/proc/self/ns/uts", "/etc/passwd"]) {
    const fd = openSync(path, "r");
    assert.throws(() => networkNamespaceFromFd(fd), { code: "INPUT_INVALID" });
    assert.throws(() => closeFd(fd), /EBADF/);
  }
  assert.throws(
    () => openNetworkNamespace("/var/run/netns/mlx-missing"),
    (error) => errnoName(error) === "ENOENT",
  );
});
