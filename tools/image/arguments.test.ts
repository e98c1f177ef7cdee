import assert from "node:assert/strict";
import { test } from "node:test";
import { parseImageArguments } from "./arguments.ts";

const defaults = { version: "1.2.3", architecture: "arm64" };
const parse = (...words: string[]): ReturnType<typeof parseImageArguments> =>
  parseImageArguments(words, defaults);

test("without arguments: the project's version, for this machine", () => {
  const outcome = parse();
  assert.equal(outcome.kind, "ok");
  if (outcome.kind !== "ok") return;
  assert.deepEqual(
    { hub: outcome.value.hub, tag: outcome.value.tag, platforms: outcome.value.platforms },
    { hub: "docker.io/meltemi", tag: "1.2.3", platforms: ["linux/arm64"] },
  );
});

test("a hub may have a port and several parts", () => {
  const outcome = parse("--hub", "registry.example:5000/platform/mesh", "--tag", "v1_x", "-o", "a.tar");
  assert.equal(outcome.kind === "ok" && outcome.value.hub, "registry.example:5000/platform/mesh");
  assert.equal(outcome.kind === "ok" && outcome.value.output, "a.tar");
});

const refusals = [
  { words: ["--hub", "https://registry.example"], want: /--hub: expected/ },
  { words: ["--hub", "registry.example/UPPER"], want: /--hub: expected/ },
  { words: ["--tag", "a:b"], want: /--tag: expected/ },
  { words: ["--tag", ""], want: /--tag: expected/ },
  { words: ["--platform", "constructor"], want: /--platform: expected linux\/amd64 or linux\/arm64/ },
  { words: ["--platform", "linux/amd64,linux/s390x"], want: /got "linux\/s390x"/ },
  {
    words: ["--platform", "linux/amd64,linux/arm64", "-o", "a.tar"],
    want: /--output: expected one platform/,
  },
  { words: ["--unknown"], want: /--unknown/ },
  { words: ["word"], want: /word/ },
];
for (const { words, want } of refusals)
  test(`refused: ${words.join(" ")}`, () => {
    const outcome = parse(...words);
    assert.equal(outcome.kind, "bad");
    assert.match(outcome.kind === "bad" ? outcome.why : "", want);
  });
