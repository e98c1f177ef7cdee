/** The image as a container runtime sees it: what is in it runs, with the privileges of the manifests and no more, and twice built it is the same. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { removeEbpfCapture } from "@meltemi/ebpf";
import { createTcpListener, openNetworkNamespace } from "@meltemi/linux";
import { createTemporaryFolder, createTestAuthority, type TemporaryFolder } from "@meltemi/testkit";
import {
  buildImage,
  Container,
  type ContainerOptions,
  type UnpackedImage,
  unpackImage,
} from "./image.fixture.ts";

const NETWORK = "mlx-image";
const PIN_FOLDER = "/sys/fs/bpf/mlx-image";
const API_PORT = 6443;
const PROJECT = join(import.meta.dirname, "..", "..");

let folder: TemporaryFolder;
let image: UnpackedImage;
let digest: string;
let api: Server;
const authority = createTestAuthority();

before(async () => {
  removeLeftovers();
  folder = await createTemporaryFolder("image");
  digest = buildImage(["-o", folder.file("image.tar"), "--tag", "9.9"]);
  image = unpackImage(folder.file("image.tar"), folder.file("unpacked"));
  execFileSync("ip", ["netns", "add", NETWORK]);
  execFileSync("ip", ["-n", NETWORK, "link", "set", "lo", "up"]);
  api = startEmptyApi();
});
after(async () => {
  api?.close();
  api?.closeAllConnections();
  removeLeftovers();
  await folder?.[Symbol.asyncDispose]();
});

function removeLeftovers(): void {
  removeEbpfCapture(PIN_FOLDER);
  if (existsSync(`/run/netns/${NETWORK}`)) execFileSync("ip", ["netns", "del", NETWORK]);
}

/** A cluster in which nothing is: every list is empty, nothing changes. What a component does before it finds anything is real. */
function startEmptyApi(): Server {
  const namespace = openNetworkNamespace(`/run/netns/${NETWORK}`);
  const { fd } = createTcpListener({
    netns: namespace,
    address: { ip: "127.0.0.1", port: API_PORT },
    backlog: 128,
  });
  namespace.close();
  const server = createServer(authority.serverPem("localhost"), (request, response) => {
    const url = new URL(request.url ?? "/", "https://localhost");
    const isObject = /\/namespaces\/[^/]+\/[^/]+\/[^/]+$/.test(url.pathname);
    response.setHeader("content-type", "application/json");
    if (url.searchParams.get("watch") !== null) response.flushHeaders();
    else if (request.method === "GET" && !isObject)
      response.end(
        JSON.stringify({ kind: "List", apiVersion: "v1", metadata: { resourceVersion: "1" }, items: [] }),
      );
    else
      response
        .writeHead(404)
        .end(JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code: 404 }));
  });
  return server.listen({ fd });
}

function run(options: Omit<ContainerOptions, "image" | "network">): Container {
  return new Container({
    ...options,
    image,
    network: NETWORK,
    files: {
      "/etc/hosts": "127.0.0.1 localhost\n",
      "/etc/resolv.conf": "nameserver 127.0.0.1\n",
      ...options.files,
    },
  });
}

const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";
const inCluster = (): { readonly files: Record<string, string>; readonly env: Record<string, string> } => ({
  // /var/run is a link of the image to /run.
  files: {
    [`${SERVICE_ACCOUNT.replace("/var", "")}/ca.crt`]: authority.rootPem,
    [`${SERVICE_ACCOUNT.replace("/var", "")}/namespace`]: "istio-system",
    [`${SERVICE_ACCOUNT.replace("/var", "")}/token`]: "token",
  },
  env: { KUBERNETES_SERVICE_HOST: "localhost", KUBERNETES_SERVICE_PORT: String(API_PORT) },
});

test("one image has the names of all components, says what it is, and runs as nobody special", () => {
  const names = ["pilot", "ztunnel", "install-cni", "proxyv2"];
  assert.deepEqual(
    image.tags,
    names.flatMap((name) => [`docker.io/meltemi/${name}:9.9`, `docker.io/meltemi/${name}:9.9-distroless`]),
  );
  assert.equal(image.config.config.User, "1337:1337");
  assert.equal(image.config.created, "2001-09-09T01:46:40Z");
  assert.equal(image.config.config.Labels["org.opencontainers.image.licenses"], "Apache-2.0");
});

test("there is no shell and no package manager in it, and nobody but root can write anything but /tmp", () => {
  const find = (...words: string[]): string[] =>
    execFileSync("find", [image.root, ...words, "-printf", "%P\n"], { encoding: "utf8" })
      .split("\n")
      .filter(Boolean);
  assert.deepEqual(find("-perm", "/022", "-not", "-type", "l"), ["tmp"]);
  assert.deepEqual(find("-perm", "/6000", "-type", "f"), []);
  assert.deepEqual(find("-path", "*bin/*", "-type", "f").sort(), ["usr/local/bin/node", "usr/sbin/nft"]);
});

test("the list of what is inside is in the image, and names what was bundled, Debian's packages and Node", () => {
  const sbom = JSON.parse(readFileSync(join(image.root, "usr/share/meltemi/sbom.spdx.json"), "utf8")) as {
    spdxVersion: string;
    packages: { name: string; versionInfo: string }[];
  };
  assert.equal(sbom.spdxVersion, "SPDX-2.3");
  const names = sbom.packages.map(({ name }) => name);
  for (const name of ["meltemi", "node", "node-openssl", "koffi", "@grpc/grpc-js", "libc6", "nftables"])
    assert.ok(names.includes(name), name);
  assert.equal(new Set(names).size, names.length);
  assert.equal(existsSync(folder.file("image.spdx.json")), true);
  assert.match(
    readFileSync(join(image.root, "usr/share/meltemi/third-party-licences.txt"), "utf8"),
    /grpc-js/,
  );
});

test("built again, in another folder and with nothing kept, it is the same to the byte", async () => {
  await using elsewhere = await createTemporaryFolder("image-elsewhere");
  const cache = process.env["MELTEMI_CACHE"] ?? join(homedir(), ".cache", "meltemi");
  for (const kind of ["debian", "npm"])
    if (existsSync(join(cache, kind)))
      cpSync(join(cache, kind), elsewhere.file(`cache/${kind}`), { recursive: true });
  mkdirSync(elsewhere.file("project"));
  execFileSync("mount", ["--bind", PROJECT, elsewhere.file("project")]);
  try {
    const again = buildImage(["-o", elsewhere.file("image.tar"), "--tag", "9.9"], {
      project: elsewhere.file("project"),
      env: { MELTEMI_CACHE: elsewhere.file("cache"), TZ: "Asia/Kathmandu", LC_ALL: "C" },
    });
    assert.equal(again, digest);
    assert.ok(readFileSync(elsewhere.file("image.tar")).equals(readFileSync(folder.file("image.tar"))));
  } finally {
    execFileSync("umount", [elsewhere.file("project")]);
  }
});

const refusals = [
  { args: ["version"], code: 0, says: /^\d+\.\d+\.\d+\n$/ },
  { args: [], code: 2, says: /expected discovery, proxy ztunnel/ },
  { args: ["proxy", "sidecar"], code: 2, says: /unknown proxy "sidecar"/ },
  { args: ["discovery"], code: 1, says: /KUBERNETES_SERVICE_HOST is not set/ },
  { args: ["proxy", "waypoint"], code: 2, says: /POD_NAME: expected/ },
  { args: ["install-cni"], code: 2, says: /NODE_NAME: expected/ },
];
for (const { args, code, says } of refusals) {
  test(`without configuration, "${args.join(" ")}" says why it cannot serve, without any privilege`, async () => {
    await using container = run({ args, user: 1337 });
    assert.equal(await container.ended(), code, container.output);
    assert.match(container.output, says);
  });
}

test("the control plane runs without privileges on a read-only root, asks the API server, and ends when told", async () => {
  await using container = run({ ...inCluster(), args: ["discovery"], user: 1337 });
  await new Promise((resolve) => api.once("request", resolve));
  const status = readFileSync(`/proc/${container.pid()}/status`, "utf8");
  assert.match(status, /^CapEff:\t0+$/m);
  assert.match(status, /^CapPrm:\t0+$/m);
  assert.match(status, /^Uid:\t1337\t1337\t1337\t1337$/m);
  assert.match(status, /^NSpid:\t\d+\t1$/m);
  container.signal("SIGTERM");
  assert.equal(await container.ended(), 0, container.output);
});

const proxyEnv = {
  CA_ADDRESS: "https://127.0.0.1:1",
  XDS_ADDRESS: "https://127.0.0.1:1",
  XDS_ROOT_CA: "/etc/root-cert.pem",
  CA_ROOT_CA: "/etc/root-cert.pem",
  AUTH_TOKEN: "/etc/token",
  // As the manifests say.
  NODE_OPTIONS: "--max-semi-space-size=4",
};
const proxyFiles = { "/etc/root-cert.pem": authority.rootPem, "/etc/token": "token" };

test("the node proxy starts as process 1 and drains at SIGTERM", async () => {
  await using container = run({ args: ["proxy", "ztunnel"], env: proxyEnv, files: proxyFiles });
  await container.says(/started/);
  container.signal("SIGTERM");
  assert.equal(await container.ended(), 0, container.output);
});

test("a waypoint starts without privileges on a read-only root, and drains at SIGTERM", async () => {
  const pod = { POD_NAME: "w", POD_NAMESPACE: "default", SERVICE_ACCOUNT: "w", INSTANCE_IP: "127.0.0.1" };
  await using container = run({
    args: ["proxy", "waypoint", "--domain", "default.svc.cluster.local"],
    user: 1337,
    env: { ...proxyEnv, ...pod },
    files: proxyFiles,
  });
  await container.says(/started/);
  assert.match(readFileSync(`/proc/${container.pid()}/status`, "utf8"), /^CapEff:\t0+$/m);
  container.signal("SIGTERM");
  assert.equal(await container.ended(), 0, container.output);
});

test("the node agent loads its eBPF programs and puts a plugin that works in place of the host", async () => {
  const host = folder.file("host");
  for (const name of ["bin", "net.d", "run", "zds", "netns"])
    mkdirSync(join(host, name), { recursive: true });
  writeFileSync(
    join(host, "net.d/10-bridge.conflist"),
    '{"cniVersion":"1.0.0","name":"pods","plugins":[{"type":"bridge"}]}',
  );
  const { env, files } = inCluster();
  await using container = run({
    args: ["install-cni"],
    files,
    env: { ...env, NODE_NAME: "node", CAPTURE_BACKEND: "ebpf", CAPTURE_PIN_DIR: PIN_FOLDER },
    mounts: {
      "/host/opt/cni/bin": join(host, "bin"),
      "/host/etc/cni/net.d": join(host, "net.d"),
      "/host/proc": "/proc",
      "/run/istio-cni": join(host, "run"),
      "/run/ztunnel": join(host, "zds"),
      "/host/var/run/netns": join(host, "netns"),
      "/sys/fs/cgroup": "/sys/fs/cgroup",
      "/sys/fs/bpf": "/sys/fs/bpf",
    },
  });
  await container.says(/chained the plugin/);
  assert.ok(readdirSync(`${PIN_FOLDER}/v1/links`).includes("connect_v4"), "pinned programs");
  const version = execFileSync(join(host, "bin/istio-cni"), {
    env: { CNI_COMMAND: "VERSION" },
    input: '{"cniVersion":"1.0.0"}',
    encoding: "utf8",
  });
  assert.deepEqual((JSON.parse(version) as { cniVersion: string }).cniVersion, "1.0.0");
  container.signal("SIGTERM");
  assert.equal(await container.ended(), 0, container.output);
});

test("nft, the fallback of the node agent, runs on the libraries of the image", async () => {
  await using made = run({ entrypoint: ["/usr/sbin/nft"], args: ["add", "table", "inet", "of-image"] });
  assert.equal(await made.ended(), 0, made.output);
  await using listed = run({ entrypoint: ["/usr/sbin/nft"], args: ["-j", "list", "tables"] });
  assert.equal(await listed.ended(), 0, listed.output);
  assert.match(listed.output, /"name": ?"of-image"/);
});

test("a platform that there is no Node for is refused", () => {
  assert.throws(
    () => buildImage(["--platform", "linux/s390x"]),
    (error: Error & { stderr?: string }) => /expected linux\/amd64 or linux\/arm64/.test(error.stderr ?? ""),
  );
});
