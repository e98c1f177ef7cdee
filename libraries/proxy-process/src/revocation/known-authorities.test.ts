import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkloadCertificate } from "@meltemi/identity";
import { createTestAuthority } from "@meltemi/testkit";
import { followAuthorities } from "./known-authorities.ts";

function scene(readRoots?: () => Promise<string>) {
  let tell: (certificate: WorkloadCertificate) => void = () => undefined;
  let stopped = false;
  const certificates = {
    onRotated(listener: (certificate: WorkloadCertificate) => void) {
      tell = listener;
      return () => {
        stopped = true;
      };
    },
  };
  const authorities = followAuthorities({ certificates, readRoots });
  return { authorities, rotate: (one: WorkloadCertificate) => tell(one), isStopped: () => stopped };
}

const authority = createTestAuthority({ intermediates: 2 });

test("known authorities: the roots of the file, and each CA of our certificates once", async () => {
  const other = createTestAuthority();
  const it = scene(async () => other.rootPem);
  assert.equal((await it.authorities.list()).length, 1);
  it.rotate(authority.issue("default/a"));
  it.rotate(authority.issue("default/b"));
  assert.equal((await it.authorities.list()).length, 1 + 3);
  it.authorities[Symbol.dispose]();
  assert.ok(it.isStopped());
});

test("known authorities: without a file there are those of our certificates", async () => {
  const it = scene();
  assert.deepEqual(await it.authorities.list(), []);
});

test("known authorities: roots that cannot be read are told", async () => {
  await assert.rejects(scene(() => Promise.reject(new Error("EACCES"))).authorities.list(), /EACCES/);
  const junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  await assert.rejects(
    scene(async () => junk).authorities.list(),
    /CA's root certificates: certificate 1 of 1/,
  );
});

test("known authorities: the oldest go when there are too many", async () => {
  const it = scene();
  const certificate = authority.issue("default/a");
  const many = Array.from({ length: 70 }, (_, index) => ({
    ...authority.root.certificate,
    der: Uint8Array.of(index),
  }));
  it.rotate({ ...certificate, intermediates: [], roots: many });
  const left = await it.authorities.list();
  assert.deepEqual([left.length, left[0]?.der[0], left.at(-1)?.der[0]], [64, 6, 69]);
});
