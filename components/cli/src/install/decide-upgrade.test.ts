import assert from "node:assert/strict";
import { test } from "node:test";
import { decideUpgrade } from "./decide-upgrade.ts";

const CASES = [
  { name: "the same", current: ["1.2.3"], target: "1.2.3", proxies: ["1.2.3"] },
  { name: "the next patch", current: ["1.2.3"], target: "1.2.4", proxies: ["1.2.3", "1.1.0"] },
  { name: "the next minor", current: ["0.1.0"], target: "0.2.0-rc.1", proxies: ["0.1.0"] },
  { name: "a jump", current: ["1.2.3"], target: "1.4.0", problems: [/more than one minor release away/] },
  { name: "another major", current: ["1.9.0"], target: "2.0.0", problems: [/more than one minor release/] },
  { name: "back", current: ["1.2.3"], target: "1.2.2", problems: [/1\.2\.2 is older/] },
  {
    name: "one of two is too old",
    current: ["1.3.0", "1.1.0"],
    target: "1.3.1",
    problems: [/^1\.1\.0 runs/],
  },
  {
    name: "proxies too old",
    current: ["1.3.0"],
    target: "1.4.0",
    proxies: ["1.2.0", "1.2.0", "1.3.0"],
    problems: [/^2 proxies run 1\.2\.0: more than one minor release older/],
  },
  {
    name: "a proxy that is newer",
    current: ["1.3.0"],
    target: "1.3.1",
    proxies: ["1.4.0"],
    problems: [/^1 proxy runs 1\.4\.0: newer/],
  },
  { name: "no version", current: ["latest"], target: "1.0.0", warnings: [/latest cannot be compared/] },
  { name: "no target", current: ["1.0.0"], target: "main", warnings: [/main is no version/] },
];
for (const { name, current, target, proxies = [], problems = [], warnings = [] } of CASES)
  test(`upgrade: ${name}`, () => {
    const got = decideUpgrade({ current, target, proxies });
    assert.equal(got.problems.length, problems.length, got.problems.join("; "));
    assert.equal(got.warnings.length, warnings.length, got.warnings.join("; "));
    for (const [index, want] of problems.entries()) assert.match(got.problems[index] ?? "", want);
    for (const [index, want] of warnings.entries()) assert.match(got.warnings[index] ?? "", want);
  });
