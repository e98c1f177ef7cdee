// Installs what this machine lacks, and says so: Debian packages, then npm packages when the lockfile is newer than node_modules.
// Plain JavaScript for Node 20, because it runs before the project's own Node 24 is there. Doing nothing takes under 100 ms.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const wanted = new Set(process.argv.slice(2));

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
  },
  bench: { haproxy: "/usr/sbin/haproxy", iperf3: "/usr/bin/iperf3" },
};

const say = (text) => process.stderr.write(`setup: ${text}\n`);
const fail = (text) => {
  say(text);
  process.exit(1);
};

/** True when the path exists; one `*` may stand for any folder name. */
function present(path) {
  if (!path.includes("*")) return existsSync(path);
  return spawnSync("sh", ["-c", `ls -d ${path}`], { stdio: "ignore" }).status === 0;
}

function installDebianPackages() {
  const groups = [PACKAGES.always, wanted.has("--bench") ? PACKAGES.bench : {}];
  const missing = groups.flatMap((group) =>
    Object.entries(group)
      .filter(([, proof]) => !present(proof))
      .map(([name]) => name),
  );
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0) {
    say(`these Debian packages are missing and only root can install them: ${missing.join(" ")}`);
    say("unit tests work without them; the demo and the namespace tests need them");
    return;
  }
  if (!existsSync("/usr/bin/apt-get")) {
    fail(`these programs are missing: ${missing.join(" ")}; install them with your system's package tool`);
  }
  say(`installing Debian packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  // No daemon of a package is started: the demo starts its own, inside its pods. An existing policy file is left alone.
  const policy = "/usr/sbin/policy-rc.d";
  const ownPolicy = !existsSync(policy);
  if (ownPolicy) writeFileSync(policy, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    const install = () =>
      spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], {
        env,
        stdio: ["ignore", "ignore", "pipe"],
        encoding: "utf8",
      });
    let result = install();
    if (result.status !== 0) {
      execFileSync("apt-get", ["update", "-qq"], { env, stdio: ["ignore", "ignore", "inherit"] });
      result = install();
    }
    if (result.status !== 0) fail(`apt-get install failed:\n${result.stderr}`);
  } finally {
    if (ownPolicy) rmSync(policy, { force: true });
  }
}

function installNodePackages() {
  const lockfile = join(root, "package-lock.json");
  const stamp = join(root, "node_modules", ".package-lock.json");
  if (existsSync(stamp) && statSync(stamp).mtimeMs >= statSync(lockfile).mtimeMs) return;
  say("installing npm packages (npm ci)");
  const result = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (result.status !== 0) fail("npm ci failed; its own message is above");
  const now = new Date();
  utimesSync(stamp, now, now);
}

/**
 * Node proxies start twice as fast and 15 MB smaller when their compiled form is there, and in a container nothing of what they
 * would write stays. Without arguments the program loads everything, keeps it compiled, says how it is called, and ends.
 */
function compileNodeProxy() {
  if (existsSync(join(root, "node_modules/.cache/meltemi"))) return;
  const program = join(root, "components/ztunnel/src/main.ts");
  spawnSync(join(root, "node_modules/.bin/node"), [program], { stdio: "ignore" });
}

if (process.platform !== "linux") fail(`Meltemi needs Linux; this is ${process.platform}`);
installDebianPackages();
installNodePackages();
compileNodeProxy();
