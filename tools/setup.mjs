// Installs what this machine lacks, and says so: Debian packages, then npm packages when the lockfile is newer than node_modules.
// Plain JavaScript for Node 20, because it runs before the project's own Node 24 is there. Doing nothing takes under 100 ms and no network.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const wanted = new Set(process.argv.slice(2));
const forDemo = wanted.has("--demo");
const isRoot = process.getuid?.() === 0;

/** Debian package → a file that proves it is installed. */
const PACKAGES = {
  always: {
    iproute2: "/usr/sbin/ip",
    nftables: "/usr/sbin/nft",
    libbpf1: "/usr/lib/*/libbpf.so.1",
    procps: "/usr/bin/ps",
    "ca-certificates": "/etc/ssl/certs/ca-certificates.crt",
    curl: "/usr/bin/curl",
    openssl: "/usr/bin/openssl",
    tcpdump: "/usr/bin/tcpdump",
    "nginx-light": "/usr/sbin/nginx",
    "redis-server": "/usr/bin/redis-server",
    "redis-tools": "/usr/bin/redis-cli",
    postgresql: "/usr/lib/postgresql/*/bin/postgres",
    "postgresql-client": "/usr/bin/psql",
    // Debian has them anyway; the image's packages are verified with them.
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
  },
  bench: { haproxy: "/usr/sbin/haproxy", iperf3: "/usr/bin/iperf3" },
};

/** The longest installation seen took two minutes, on a slow network. */
const LOCK_WAIT_MS = 600_000;
const LOCK_LOOK_MS = 200;
const SHOWN_LINES = 8;

const say = (text) => process.stderr.write(`setup: ${text}\n`);
const fail = (text) => {
  say(text);
  process.exit(1);
};
/** What the demo cannot do without, and unit tests can. */
const lack = (text) => {
  if (forDemo) fail(text);
  say(text);
  say("going on: unit tests work without; the demo and the namespace tests need it");
};

/** True when the path exists; one `*` may stand for any folder name. */
function present(path) {
  const [folder, rest] = path.split("*");
  if (rest === undefined) return existsSync(path);
  return existsSync(folder) && readdirSync(folder).some((name) => existsSync(join(folder, name, rest)));
}

function missingDebianPackages() {
  const groups = [PACKAGES.always, wanted.has("--bench") ? PACKAGES.bench : {}];
  return groups.flatMap((group) =>
    Object.entries(group)
      .filter(([, proof]) => !present(proof))
      .map(([name]) => name),
  );
}

/** Runs `task` while no other setup does what `name` says; a lock whose process is gone is nobody's. */
function alone(name, task) {
  const path = join(isRoot ? "/run" : tmpdir(), `meltemi-setup-${process.getuid?.()}-${name}.lock`);
  const untilMs = Date.now() + LOCK_WAIT_MS;
  let told = false;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if (error.code !== "EEXIST") fail(`make the lock ${path}: ${error.message}`);
    }
    if (!ownerLives(path)) rmSync(path, { force: true });
    else if (Date.now() > untilMs) fail(`another setup holds ${path} for ${LOCK_WAIT_MS / 60_000} minutes`);
    else if (!told) say("another setup is at work, waiting for it");
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_LOOK_MS);
  }
  const release = () => rmSync(path, { force: true });
  process.once("exit", release);
  task();
  process.off("exit", release);
  release();
}

function ownerLives(path) {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // The other one may have made the file and not yet written into it.
    if (pid === 0) return Date.now() - statSync(path).mtimeMs < 5000;
    return existsSync(`/proc/${pid}`);
  } catch {
    return false;
  }
}

function installDebianPackages() {
  const missing = missingDebianPackages();
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(" ")}`;
  if (!isRoot) return lack(`Debian packages are missing, and only root can install them: ${command}`);
  if (!existsSync("/usr/bin/apt-get"))
    return lack(
      `programs are missing, and here is no apt-get; install what these Debian packages hold: ${missing.join(" ")}`,
    );
  alone("debian", () => aptInstall(missingDebianPackages(), command));
}

function aptInstall(missing, command) {
  // Another setup may have done it meanwhile.
  if (missing.length === 0) return;
  say(`installing Debian packages: ${missing.join(" ")}`);
  // No daemon of a package is started: the demo starts its own, inside its pods. An existing policy file is left alone.
  const policy = "/usr/sbin/policy-rc.d";
  const ownPolicy = !existsSync(policy);
  const removePolicy = () => rmSync(policy, { force: true });
  if (ownPolicy) {
    writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
    process.once("exit", removePolicy);
  }
  const words = ["install", "-y", "-qq", "--no-install-recommends", ...missing];
  let result = apt(words);
  // The list of packages may be older than the archive.
  if (result.status !== 0 && apt(["update", "-qq"]).status === 0) result = apt(words);
  if (ownPolicy) {
    removePolicy();
    process.off("exit", removePolicy);
  }
  if (result.status === 0) return;
  const said = (result.error?.message ?? result.stderr).trim().split("\n").slice(-SHOWN_LINES);
  lack(
    `apt-get could not install what is missing:\n    ${said.join("\n    ")}\n  Try it yourself: apt-get update && ${command}`,
  );
}

function apt(words) {
  return spawnSync("apt-get", ["-o", `DPkg::Lock::Timeout=${LOCK_WAIT_MS / 1000}`, ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "ignore", "pipe"],
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** The one thing that the user brings: Debian 12 has no package of a version that serves. */
function needKubectl() {
  const folders = (process.env.PATH ?? "").split(":");
  if (folders.some((folder) => folder !== "" && existsSync(join(folder, "kubectl")))) return;
  lack(
    "kubectl is missing. Get the release from https://kubernetes.io/docs/tasks/tools/ (one program, into /usr/local/bin), " +
      "or your system's package (Debian 13: apt-get install kubernetes-client)",
  );
}

function nodePackagesAreThere() {
  const stamp = join(root, "node_modules", ".package-lock.json");
  return existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs;
}

function installNodePackages() {
  if (nodePackagesAreThere()) return;
  alone(`npm-${createHash("sha256").update(root).digest("hex").slice(0, 12)}`, () => {
    if (nodePackagesAreThere()) return;
    say("installing npm packages (npm ci)");
    const words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    // npm's own output is no result of ours: standard output belongs to the command that follows.
    const result = spawnSync("npm", words, { cwd: root, stdio: ["ignore", 2, 2] });
    if (result.error !== undefined)
      fail(`npm cannot be started: ${result.error.message}; it comes with Node.js`);
    if (result.status !== 0)
      fail("npm ci failed; its own message is above. It needs the npm registry, or a filled cache");
    const now = new Date();
    utimesSync(join(root, "node_modules", ".package-lock.json"), now, now);
  });
}

/**
 * Node proxies start twice as fast and 15 MB smaller when their compiled form is there, and in a container nothing of what they
 * would write stays. Without arguments the program loads everything, keeps it compiled, says how it is called, and ends.
 */
function compileNodeProxy() {
  if (existsSync(join(root, "node_modules/.cache/meltemi"))) return;
  const program = join(root, "components/ztunnel/src/main.mjs");
  spawnSync(join(root, "node_modules/.bin/node"), [program], { stdio: "ignore" });
}

if (process.platform !== "linux") fail(`Meltemi needs Linux; this is ${process.platform}`);
if (Number(process.versions.node.split(".")[0]) < 20)
  fail(`Meltemi needs Node.js 20 or newer; this is ${process.version}`);
if (forDemo && !isRoot)
  fail(
    "the demo makes network namespaces and loads eBPF programs, which only root may do: sudo npm run demo. " +
      "Without root these work: npm test -- unit, and the commands validate and manifest generate",
  );
installDebianPackages();
needKubectl();
installNodePackages();
compileNodeProxy();
