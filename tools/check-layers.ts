/**
 * The order of the rooms: lower layers know nothing of higher ones, equal layers do not know each other.
 * Manifests are the law (Biome refuses an import that its package.json does not list); this refuses a wrong line in a manifest.
 */
import { globSync, readFileSync } from "node:fs";

const LAYERS: readonly (readonly string[])[] = [
  ["runtime", "wire"],
  ["model"],
  ["linux", "telemetry", "resources"],
  ["authorization", "identity", "xds", "ebpf", "zds", "kubernetes", "l4", "validation"],
  ["http"],
  ["hbone", "l7"],
  ["proxy-process"],
  ["testkit"],
  ["control-plane", "ztunnel", "waypoint", "cni", "cli", "local-cluster"],
  ["tests", "benchmarks"],
];

interface Manifest {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const layerOf = (name: string): number =>
  LAYERS.findIndex((layer) => layer.includes(name.replace("@meltemi/", "")));
const ours = (dependencies: Readonly<Record<string, string>> = {}): string[] =>
  Object.keys(dependencies).filter((name) => name.startsWith("@meltemi/"));

const faults: string[] = [];
for (const path of globSync("{libraries/*,components/*,tests,benchmarks}/package.json")) {
  const manifest = JSON.parse(readFileSync(path, "utf8")) as Manifest;
  const layer = layerOf(manifest.name);
  if (layer < 0) faults.push(`${path}: give ${manifest.name} a layer in tools/check-layers.ts`);
  for (const dependency of ours(manifest.dependencies)) {
    if (layerOf(dependency) >= layer)
      faults.push(`${path}: ${manifest.name} must not depend on ${dependency}`);
    if (dependency === "@meltemi/testkit" && !path.startsWith("tests") && !path.startsWith("benchmarks"))
      faults.push(`${path}: @meltemi/testkit belongs under devDependencies`);
  }
}
if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exitCode = 1;
}
