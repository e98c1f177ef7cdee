import assert from "node:assert/strict";
import { test } from "node:test";
import { MeshError } from "@meltemi/runtime";
import fc from "fast-check";
import { allSettings, readConfigFile } from "./settings.ts";

const FILE = readConfigFile(
  "/home/ann/.istioctl/config.yaml",
  "istioNamespace: mesh\nnamespace: shop\nxds-port: 15012",
);
const CASES = [
  { name: "nothing said", env: {}, file: undefined, want: ["istio-system", "default"] },
  { name: "in the file", env: {}, file: FILE, want: ["mesh", "/home/ann/.istioctl/config.yaml"] },
  {
    name: "in the environment",
    env: { ISTIOCTL_ISTIONAMESPACE: "other" },
    file: FILE,
    want: ["other", "$ISTIOCTL_ISTIONAMESPACE"],
  },
  {
    name: "empty in the environment",
    env: { ISTIOCTL_ISTIONAMESPACE: "" },
    file: undefined,
    want: ["istio-system", "default"],
  },
];
for (const { name, env, file, want } of CASES)
  test(`a setting: ${name}`, () => {
    const found = allSettings(env, file).find(({ flag }) => flag === "istioNamespace");
    assert.deepEqual([found?.value, found?.from], want);
  });

const REFUSED = [
  { text: "[1]", want: /expected a map of flags/ },
  { text: "a: [", want: /expected YAML/ },
  { text: "istionamespace: x", want: /istionamespace is no global flag; did you mean istioNamespace\?/ },
];
for (const { text, want } of REFUSED)
  test(`no configuration: ${JSON.stringify(text)}`, () =>
    assert.throws(() => readConfigFile("f", text), want));

test("any file is a configuration, or is refused by name", () =>
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...":-[]{}\n a*&!|>'\"#,") }), (text) => {
      try {
        readConfigFile("f", text);
      } catch (error) {
        assert.ok(error instanceof MeshError, String(error));
      }
    }),
    { numRuns: 300 },
  ));
