import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { endFrame, outputFrame, readClientFrame, readExecRequest } from "./channel-protocol.ts";

const frames = [
  { name: "input", bytes: [0, 104, 105], want: "stdin" },
  { name: "empty input", bytes: [0], want: "stdin" },
  { name: "end of input", bytes: [255, 0], want: "close-stdin" },
  { name: "terminal size", bytes: [4, 123, 125], want: "resize" },
  { name: "the client writes to an output channel", bytes: [1, 1], want: "bad" },
  { name: "closes a channel that is not its own", bytes: [255, 1], want: "bad" },
  { name: "nothing", bytes: [], want: "bad" },
] as const;
for (const row of frames) {
  test(`client frame: ${row.name}`, () =>
    assert.equal(readClientFrame(Buffer.from(row.bytes)).kind, row.want));
}

test("any bytes are one of the four", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void readClientFrame(Buffer.from(bytes))));
});

test("output carries its channel", () => {
  assert.deepEqual([...outputFrame("stdout", Buffer.from("a"))], [1, 97]);
  assert.deepEqual([...outputFrame("stderr", Buffer.from("a"))], [2, 97]);
});

test("the end says the exit code as kubectl reads it", () => {
  const status = JSON.parse(endFrame({ kind: "exited", code: 3 }).subarray(1).toString()) as {
    reason: string;
    details: { causes: unknown };
  };
  assert.equal(status.reason, "NonZeroExitCode");
  assert.deepEqual(status.details.causes, [{ reason: "ExitCode", message: "3" }]);
  assert.match(endFrame({ kind: "exited", code: 0 }).toString(), /"Success"/);
});

test("an exec request without a command is refused", () => {
  assert.equal(readExecRequest(new URLSearchParams("stdout=true")).kind, "bad");
});

test("an exec request is read whole", () => {
  const read = readExecRequest(
    new URLSearchParams("command=sh&command=-c&command=id&container=a&stdout=true&stderr=1"),
  );
  assert.deepEqual(read, {
    kind: "ok",
    request: {
      command: ["sh", "-c", "id"],
      container: "a",
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
    },
  });
});
