import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { run } from "../program.fixture.ts";

const folder = await mkdtemp(join(tmpdir(), "manifest-diff-"));
after(() => rm(folder, { recursive: true, force: true }));

async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const operator = (spec: string): string =>
  `apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nmetadata: {name: mesh}\nspec: ${spec}\n`;

test("an IstioOperator file stands for what install makes of it", async () => {
  const file = await fileOf("operator.yaml", operator("{profile: ambient}"));
  const { out: manifests } = await run("istioctl", "manifest", "generate", "-f", file);
  const same = await run("istioctl", "manifest", "diff", file, await fileOf("mesh.yaml", manifests));
  assert.deepEqual([same.out, same.code], ["Manifests are identical\n", 0]);
  const other = await fileOf(
    "other.yaml",
    operator("{profile: ambient, meshConfig: {accessLogFile: /dev/stdout}}"),
  );
  const differs = await run("istioctl", "manifest", "diff", file, other);
  assert.equal(differs.code, 1);
  assert.match(
    differs.out,
    /Object ConfigMap:istio-system:istio has diffs:\n {2}~ data\.mesh:\n(?: {6}[-+] .*\n)* {6}\+ accessLogFile: /,
  );
});

test("an IstioOperator that cannot be installed, or stands beside others, is refused", async () => {
  const wrong = await fileOf("wrong.yaml", operator("{profile: nope}"));
  assert.match(
    (await run("istioctl", "manifest", "diff", wrong, wrong)).err,
    /read .*wrong\.yaml: .*profile/,
  );
  const two = await fileOf("two.yaml", `${operator("{}")}---\n${operator("{}").replace("mesh", "more")}`);
  assert.match((await run("istioctl", "manifest", "diff", two, two)).err, /expected one IstioOperator/);
});
