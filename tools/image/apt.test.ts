import assert from "node:assert/strict";
import { test } from "node:test";
import { renderSources } from "./apt.ts";

const KEYS = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg";

test("the archive as it is now", () => {
  assert.deepEqual(
    renderSources({ suite: "bookworm", architecture: "amd64", snapshot: undefined }).split("\n"),
    [
      `deb [${KEYS}] http://deb.debian.org/debian bookworm main`,
      `deb [${KEYS}] http://deb.debian.org/debian bookworm-updates main`,
      `deb [${KEYS}] http://deb.debian.org/debian-security bookworm-security main`,
      "",
    ],
  );
});

test("the archive as it was: still signed, although its validity has ended", () => {
  const sources = renderSources({ suite: "bookworm", architecture: "amd64", snapshot: "20261122T133907Z" });
  assert.match(
    sources,
    /^deb \[signed-by=\S+ check-valid-until=no\] http:\/\/snapshot\.debian\.org\/archive\/debian\/20261122T133907Z bookworm main$/m,
  );
});
