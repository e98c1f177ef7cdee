/** The image goes into a registry: real HTTPS, tokens or passwords, an interrupted line, what is there already. */

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { createTemporaryFolder, createTestAuthority, type TemporaryFolder } from "@meltemi/testkit";
import { textFile } from "../../tools/image/file-tree.ts";
import { type Image, makeImage } from "../../tools/image/oci.ts";
import { pushImages } from "../../tools/image/push/push-images.ts";
import { type RegistryFixture, startRegistry } from "./image-registry.fixture.ts";

const authority = createTestAuthority();
setDefaultCACertificates([...getCACertificates("default"), authority.rootPem]);
const PASSWORD = "s3cret:with/odd+parts";

interface Scene extends AsyncDisposable {
  readonly registry: RegistryFixture;
  readonly images: readonly Image[];
  push(images: readonly Image[], tags?: readonly string[]): Promise<string>;
}

async function openScene(kind: "bearer" | "basic", password = PASSWORD): Promise<Scene> {
  const registry = await startRegistry(authority, PASSWORD, kind);
  const folder = await createTemporaryFolder("push");
  mkdirSync(folder.file("docker"));
  const auth = Buffer.from(`pusher:${password}`).toString("base64");
  writeFileSync(folder.file("docker/config.json"), JSON.stringify({ auths: { [registry.host]: { auth } } }));
  return {
    registry,
    images: await Promise.all(["amd64", "arm64"].map((architecture) => smallImage(architecture, folder))),
    push: (images, tags = ["1.0", "1.0-distroless"]) =>
      pushImages(
        images,
        ["pilot", "ztunnel"].flatMap((name) => tags.map((tag) => `${registry.host}/mesh/${name}:${tag}`)),
        folder.file("docker"),
        () => undefined,
      ),
    async [Symbol.asyncDispose]() {
      registry.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function smallImage(architecture: string, folder: TemporaryFolder): Promise<Image> {
  return makeImage({
    architecture,
    layers: ["a", "b"].map((name) => ({
      name,
      files: new Map([[name, textFile(`${name} of ${architecture}`)]]),
    })),
    created: "2001-09-09T01:46:40Z",
    user: "1337:1337",
    entrypoint: ["/a"],
    env: [],
    labels: {},
    cacheFolder: folder.file("layers"),
  });
}

for (const kind of ["bearer", "basic"] as const) {
  test(`every name means the image afterwards, which is sent once (${kind})`, async () => {
    await using scene = await openScene(kind);
    const { registry, images } = scene;
    const digest = await scene.push(images.slice(0, 1));
    assert.equal(digest, images[0]?.manifest.digest);
    for (const name of ["pilot:1.0", "pilot:1.0-distroless", "ztunnel:1.0", "ztunnel:1.0-distroless"]) {
      const manifest = registry.manifests.get(`mesh/${name}`);
      assert.deepEqual(manifest?.content, Buffer.from(images[0]?.blobs.get(digest) ?? []), name);
    }
    assert.equal(registry.uploads(), 3, "two layers and the configuration");
    assert.equal(registry.mounts(), 3, "for the second repository");
    await scene.push(images.slice(0, 1), ["1.1"]);
    assert.equal(registry.uploads(), 3, "nothing twice");
    assert.ok(registry.manifests.has("mesh/ztunnel:1.1"));
  });
}

test("two platforms are one name: an index of both", async () => {
  await using scene = await openScene("bearer");
  const digest = await scene.push(scene.images);
  const index = JSON.parse(scene.registry.manifests.get("mesh/ztunnel:1.0")?.content.toString() ?? "") as {
    mediaType: string;
    manifests: { digest: string; platform: object }[];
  };
  assert.equal(index.mediaType, "application/vnd.oci.image.index.v1+json");
  assert.deepEqual(
    index.manifests.map(({ digest: of, platform }) => ({ of, platform })),
    scene.images.map(({ manifest, architecture }) => ({
      of: manifest.digest,
      platform: { architecture, os: "linux" },
    })),
  );
  assert.ok(scene.registry.manifests.has(`mesh/ztunnel@${digest}`));
});

test("a registry that is restarting is asked again", async () => {
  await using scene = await openScene("bearer");
  scene.registry.failNext(2);
  await scene.push(scene.images.slice(0, 1));
  assert.ok(scene.registry.manifests.has("mesh/pilot:1.0"));
});

test("a wrong password is refused with the place, and without the password", async () => {
  for (const kind of ["bearer", "basic"] as const) {
    await using scene = await openScene(kind, "wrong-password");
    await assert.rejects(scene.push(scene.images), (error: Error) => {
      assert.match(error.message, new RegExp(`https://${scene.registry.host}/.*got 401`));
      assert.doesNotMatch(error.message, /wrong-password/);
      return true;
    });
    assert.equal(scene.registry.manifests.size, 0);
  }
});

test("a registry that nobody vouches for gets nothing", async () => {
  const registry = await startRegistry(createTestAuthority(), PASSWORD, "basic");
  await using folder = await createTemporaryFolder("push");
  try {
    const image = await smallImage("amd64", folder);
    await assert.rejects(
      pushImages([image], [`${registry.host}/mesh/pilot:1.0`], folder.path, () => undefined),
      /certificate/,
    );
    assert.deepEqual(registry.requests, []);
  } finally {
    registry.close();
  }
});
