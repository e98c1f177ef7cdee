/** The reference says what the code says, all of it. */

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { referencePages } from "./documents.ts";
import { EFFECTS } from "./effects.ts";
import { processVariables } from "./environment.ts";
import { processMetrics } from "./metrics.ts";
import { ENROLMENT, POLICIES, WAYPOINTS } from "./names.ts";
import { ROOT } from "./record-families.ts";
import { definitions } from "./resources.ts";
import { COMMAND_LINE_VARIABLES, PLUGIN_VARIABLES, SHARED_VARIABLES } from "./variables.ts";
import { CONDITIONS, WRITTEN } from "./written-names.ts";

/** Sources of what runs in a cluster and of the command line; neither tests nor what is generated. */
const SOURCES: ReadonlyMap<string, string> = new Map(
  globSync("{components,libraries}/*/src/**/*.{ts,mjs}", { cwd: ROOT })
    .filter(
      (path) => !/\.(test|fixture|contract)\.ts$|\/(generated|testdata|local-cluster|testkit)\//.test(path),
    )
    .map((path) => [path, readFileSync(join(ROOT, path), "utf8")]),
);

for (const [path, text] of referencePages())
  test(`${path} is what the code says`, () => {
    assert.ok(readFileSync(join(ROOT, path), "utf8") === text, `${path} is stale: run npm run generate`);
  });

test("every file that defines metrics is asked for them", () => {
  const asked = new Set(
    processMetrics().flatMap(({ families }) => families.map(({ definedIn }) => definedIn)),
  );
  const defining = [...SOURCES]
    .filter(([path]) => !path.startsWith("libraries/telemetry/"))
    .filter(([, text]) => /\.(counter|gauge|histogram)(<[^>]*>)?\(|\.sharedSeries\(/.test(text))
    .map(([path]) => path);
  assert.ok(defining.length > 10);
  assert.deepEqual(
    defining.filter((path) => !asked.has(path)),
    [],
    "call what defines them in tools/reference/metrics.ts",
  );
});

test("every name of a metric in such a file is documented", () => {
  const names = processMetrics().flatMap(({ families }) => families.map(({ name }) => name));
  const files = new Set(
    processMetrics().flatMap(({ families }) => families.map(({ definedIn }) => definedIn)),
  );
  for (const path of files) {
    const literals = SOURCES.get(path)?.matchAll(/name: "([a-z0-9_]+)"/g) ?? [];
    for (const [, literal = ""] of literals)
      assert.ok(
        names.some((name) => name === literal || name === `${literal}_total`),
        `${path}: ${literal}`,
      );
  }
});

test("every variable that a process reads has a meaning, and every meaning a reader", () => {
  const everywhere = new Set(processVariables().flatMap(({ read }) => read.map(({ name }) => name)));
  for (const { title, read, meanings } of processVariables()) {
    for (const { name } of read)
      assert.ok(meanings[name] !== undefined, `${title}: ${name} is in tools/reference/variables.ts`);
    const asked = new Set(read.map(({ name }) => name));
    for (const name of Object.keys(meanings))
      if (!asked.has(name) && !(name in SHARED_VARIABLES))
        assert.ok(isLookedUp(name), `${title}: nobody reads ${name}`);
  }
  for (const name of Object.keys(SHARED_VARIABLES)) assert.ok(everywhere.has(name), `nobody reads ${name}`);
});

test("every variable that is looked up without a reader is documented", () => {
  const known = new Set([
    ...processVariables().flatMap(({ meanings }) => Object.keys(meanings)),
    ...Object.keys(COMMAND_LINE_VARIABLES),
    ...PLUGIN_VARIABLES,
  ]);
  for (const [path, text] of SOURCES)
    for (const [, name = ""] of text.matchAll(/\benv\[\s*"([A-Z_]+)"\s*\]/g))
      assert.ok(known.has(name), `${path}: ${name}`);
});

function isLookedUp(name: string): boolean {
  return [...SOURCES.values()].some((text) => text.includes(`env["${name}"]`));
}

/** Groups, versions and kinds are no names of labels; nor is what an earlier mesh wrote, which is only looked for. */
const NO_LABEL = /\.io\/(v\d\w*|[A-Z]\w+|[a-z]+s)$/;
const NAME = /\b((?:[a-z0-9-]+\.)*(?:istio|meltemi)\.io\/[A-Za-z0-9-]+)\b/g;
/** In code only: comments may give examples. */
const withoutComments = (text: string): string => text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");

test("every label, annotation and condition of the sources is documented, and the other way round", () => {
  const documented = [...ENROLMENT, ...WAYPOINTS, ...POLICIES, ...WRITTEN, ...CONDITIONS].map(
    ({ name }) => name,
  );
  assert.equal(new Set(documented).size, documented.length, "each name once");
  const found = new Map<string, string>();
  for (const [path, text] of SOURCES)
    for (const [, name = ""] of withoutComments(text).matchAll(NAME)) found.set(name, path);
  const isKind = (name: string): boolean => NO_LABEL.test(name) && !documented.includes(name);
  const unknown = [...found].filter(([name]) => !documented.includes(name) && !isKind(name));
  assert.deepEqual(unknown, [], "say what it is in tools/reference/names.ts");
  assert.deepEqual(
    documented.filter((name) => !found.has(name)),
    [],
  );
});

test("every kind that is installed has an effect, or says that it has none", () => {
  const kinds = definitions().map(({ spec }) => `${spec.group}/${spec.names.kind}`);
  assert.deepEqual(Object.keys(EFFECTS).toSorted(), kinds.toSorted());
});
