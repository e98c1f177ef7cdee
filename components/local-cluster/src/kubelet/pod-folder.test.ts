import assert from "node:assert/strict";
import { test } from "node:test";
import { createTemporaryFolder } from "@meltemi/testkit";
import { podFolder } from "./pod-folder.ts";
import { NEW_CONTAINER } from "./pod-runtime.ts";

test("records written at once, as by a startup probe and a readiness probe, end with the last one", async () => {
  await using folder = await createTemporaryFolder();
  const pod = podFolder(folder.path);
  const attempts = [1, 2, 3, 4, 5, 6, 7, 8];
  await Promise.all(
    attempts.map((attempt) =>
      pod.writeContainer("a", { state: { ...NEW_CONTAINER, attempt }, process: undefined }),
    ),
  );
  assert.equal((await pod.readContainers()).get("a")?.state.attempt, attempts.length);
});
