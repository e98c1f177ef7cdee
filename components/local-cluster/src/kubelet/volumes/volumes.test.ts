import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Volume } from "../container/types.ts";
import { type PublishedFile, publishFiles } from "./atomic-folder.ts";
import { type ContentSources, tokenSources, volumeContents } from "./contents.ts";
import { machinePath, prepareHostPath } from "./host-path.ts";

const folders = { fileSystem: "/s/fs", bpf: "/sys/fs/bpf/meltemi-a/node-1" };
for (const [path, want] of [
  ["/var/run/ztunnel", "/s/fs/run/ztunnel"],
  ["/run/ztunnel/", "/s/fs/run/ztunnel"],
  ["/var/lib/x", "/s/fs/var/lib/x"],
  ["/var", "/s/fs/var"],
  ["/variable", "/variable"],
  ["/etc/cni/net.d", "/s/fs/etc/cni/net.d"],
  ["/etc/ssl", "/etc/ssl"],
  ["/opt/cni/bin", "/s/fs/opt/cni/bin"],
  ["/var/run/netns", "/run/netns"],
  ["/run/netns/x", "/run/netns/x"],
  ["/run/netnsx", "/s/fs/run/netnsx"],
  ["/sys/fs/bpf", "/sys/fs/bpf/meltemi-a/node-1"],
  ["/sys/fs/bpf/istio/map", "/sys/fs/bpf/meltemi-a/node-1/istio/map"],
  ["/sys/fs/cgroup", "/sys/fs/cgroup"],
  ["/proc", "/proc"],
  ["/usr/../var/lib", "/s/fs/var/lib"],
] as const)
  test(`machinePath: ${path}`, () => assert.equal(machinePath(folders, path), want));

async function inFolder(check: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "meltemi-volume-"));
  try {
    await check(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("prepareHostPath makes what it may, and refuses the rest", () =>
  inFolder(async (folder) => {
    await prepareHostPath(join(folder, "a/b"), "DirectoryOrCreate");
    await prepareHostPath(join(folder, "a/f"), "FileOrCreate");
    await prepareHostPath(join(folder, "any"), "");
    await prepareHostPath("/dev/null", "CharDevice");
    assert.ok((await stat(join(folder, "a/b"))).isDirectory() && (await stat(join(folder, "a/f"))).isFile());
    for (const [name, type] of [
      ["none", "Directory"],
      ["a/f", "Directory"],
      ["a/b", "File"],
      ["a/f", "Socket"],
      ["a/f", "BlockDevice"],
      ["a/f", "Elsewhere"],
    ] as const)
      await assert.rejects(prepareHostPath(join(folder, name), type), {
        code: "NOT_FOUND",
        message: /type check failed/,
      });
  }));

const files = (entries: Readonly<Record<string, string>>): ReadonlyMap<string, PublishedFile> =>
  new Map(Object.entries(entries).map(([path, text]) => [path, { content: Buffer.from(text), mode: 0o640 }]));

test("publishFiles: new versions replace old ones whole, equal ones change nothing", () =>
  inFolder(async (folder) => {
    const link = (): Promise<string> => readlink(join(folder, "..data"));
    await publishFiles(folder, files({ a: "1", "sub/b": "2" }));
    const first = await link();
    assert.equal(await readFile(join(folder, "sub/b"), "utf8"), "2");
    assert.equal((await stat(join(folder, "a"))).mode & 0o777, 0o640);
    await publishFiles(folder, files({ a: "1", "sub/b": "2" }));
    assert.equal(await link(), first);
    await publishFiles(folder, files({ a: "changed" }));
    assert.notEqual(await link(), first);
    assert.deepEqual(
      (await readdir(folder)).filter((name) => !name.startsWith("..")),
      ["a"],
    );
    assert.equal(
      (await readdir(folder)).filter((name) => /^\.\.\d/.test(name)).length,
      1,
      "the old version is gone",
    );
  }));

test("publishFiles goes on where a crash left off", () =>
  inFolder(async (folder) => {
    await publishFiles(folder, files({ a: "1" }));
    await writeFile(join(folder, "..data_tmp"), "");
    await publishFiles(folder, files({ a: "2" }));
    assert.equal(await readFile(join(folder, "a"), "utf8"), "2");
  }));

for (const path of ["../x", "/x", "a/../../x", "", "a//b", "..data"])
  test(`publishFiles refuses ${JSON.stringify(path)}`, () =>
    inFolder((folder) =>
      assert.rejects(publishFiles(folder, files({ [path]: "" })), { code: "INPUT_INVALID" }),
    ));

const sources: ContentSources = {
  configMap: (name) =>
    name === "settings"
      ? new Map([
          ["a", Buffer.from("1")],
          ["b", Buffer.from("2")],
        ])
      : undefined,
  secret: (name) => (name === "keys" ? new Map([["k", Buffer.from([0, 255])]]) : undefined),
  field: (path) => (path === "metadata.name" ? "pod-a" : undefined),
  resource: () => undefined,
  token: (source) =>
    source.audience === "late" ? undefined : Buffer.from(`for ${source.audience ?? "api"}`),
};

const cases: readonly {
  name: string;
  volume: Omit<Volume, "name">;
  want: Record<string, string> | string;
}[] = [
  { name: "all keys", volume: { configMap: { name: "settings" } }, want: { a: "1", b: "2" } },
  {
    name: "chosen keys",
    volume: { configMap: { name: "settings", items: [{ key: "a", path: "x/y" }] } },
    want: { "x/y": "1" },
  },
  {
    name: "a missing key",
    volume: { configMap: { name: "settings", items: [{ key: "z", path: "z" }] } },
    want: 'configmap "settings": references non-existent key z',
  },
  {
    name: "a missing ConfigMap",
    volume: { configMap: { name: "none" } },
    want: 'configmap "none" not found',
  },
  { name: "an optional one", volume: { configMap: { name: "none", optional: true } }, want: {} },
  { name: "a missing Secret", volume: { secret: { secretName: "none" } }, want: 'secret "none" not found' },
  {
    name: "the pod",
    volume: { downwardAPI: { items: [{ path: "n", fieldRef: { fieldPath: "metadata.name" } }] } },
    want: { n: "pod-a" },
  },
  {
    name: "a field that there is not",
    volume: { downwardAPI: { items: [{ path: "n", fieldRef: { fieldPath: "spec.x" } }] } },
    want: "downwardAPI: n: the field is not supported",
  },
  {
    name: "projected from everywhere",
    volume: {
      projected: {
        sources: [
          { configMap: { name: "settings", items: [{ key: "a", path: "a" }] } },
          { downwardAPI: { items: [{ path: "n", fieldRef: { fieldPath: "metadata.name" } }] } },
          { serviceAccountToken: { path: "token", audience: "istio-ca", expirationSeconds: 600 } },
        ],
      },
    },
    want: { a: "1", n: "pod-a", token: "for istio-ca" },
  },
  {
    name: "a token that is not there yet",
    volume: { projected: { sources: [{ serviceAccountToken: { path: "t", audience: "late" } }] } },
    want: "service account token is not there yet",
  },
];
for (const { name, volume, want } of cases)
  test(`volumeContents: ${name}`, () => {
    const contents = volumeContents({ name: "v", ...volume }, sources);
    if (typeof want === "string") assert.deepEqual(contents, { kind: "missing", message: want });
    else
      assert.deepEqual(
        contents.kind === "ok" &&
          Object.fromEntries([...contents.files].map(([path, file]) => [path, file.content.toString()])),
        want,
      );
  });

test("volumeContents: modes, and volumes that are not made of files", () => {
  const secret = volumeContents({ name: "v", secret: { secretName: "keys", defaultMode: 0o400 } }, sources);
  assert.ok(secret.kind === "ok");
  assert.deepEqual(secret.files.get("k"), { content: Buffer.from([0, 255]), mode: 0o400 });
  assert.equal(volumeContents({ name: "v", emptyDir: {} }, sources).kind, "other");
});

test("tokenSources: the API's defaults", () => {
  const projected = { sources: [{ serviceAccountToken: { path: "t" } }, { configMap: { name: "x" } }] };
  assert.deepEqual(tokenSources({ name: "v", projected }), [
    { audience: undefined, expirationSeconds: 3600 },
  ]);
});
