import assert from "node:assert/strict";
import { test } from "node:test";
import { imageVersion } from "./render-pod.ts";

const CASES = [
  { image: "docker.io/meltemi/proxyv2:1.2.3", want: "1.2.3" },
  { image: "localhost:5000/proxyv2:1.2.3-rc.1", want: "1.2.3-rc.1" },
  { image: "localhost:5000/proxyv2", want: undefined },
  { image: "proxyv2", want: undefined },
  { image: "proxyv2:", want: undefined },
  { image: "proxyv2:1.2@sha256:ab", want: "1.2" },
  { image: "docker.io/meltemi/proxyv2@sha256:ab", want: undefined },
  { image: "", want: undefined },
];
for (const { image, want } of CASES)
  test(`imageVersion: ${image || "nothing"}`, () => assert.equal(imageVersion(image), want));
