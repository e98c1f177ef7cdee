import assert from "node:assert/strict";
import { test } from "node:test";
import { podUidOf } from "./pod-netns.ts";

const UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0";
const CASES = [
  { name: "cgroupfs driver", text: `0::/kubepods/burstable/pod${UID}/4c5d`, want: UID },
  {
    name: "systemd driver",
    text: `0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID.replaceAll("-", "_")}.slice/cri-containerd-4c5d.scope`,
    want: UID,
  },
  { name: "seen from another cgroup namespace", text: `0::/../../pod${UID}/x`, want: UID },
  {
    name: "static pod",
    text: "0::/kubepods/pod00112233445566778899aabbccddeeff/x",
    want: "00112233445566778899aabbccddeeff",
  },
  { name: "several hierarchies", text: `4:memory:/\n0::/a/pod${UID}/b\n`, want: UID },
  { name: "no pod", text: "0::/system.slice/ssh.service", want: undefined },
  { name: "the word pod alone", text: "0::/podman/1234", want: undefined },
  { name: "too many digits", text: `0::/pod${UID}0/x`, want: undefined },
  { name: "something endless", text: `pod${UID}`.padEnd(70_000, "x"), want: undefined },
] as const;

for (const { name, text, want } of CASES) test(`podUidOf: ${name}`, () => assert.equal(podUidOf(text), want));
