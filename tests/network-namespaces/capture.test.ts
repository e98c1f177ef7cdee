import { createEbpfCapture, createNftablesCapture, removeEbpfCapture } from "@meltemi/ebpf";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { describeCapture } from "./capture.contract.ts";

const log = createLogger(
  {
    filter: new LogFilter("warn"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  },
  "capture",
);
const PIN_FOLDER = "/sys/fs/bpf/mlx-capture-test";

describeCapture({
  name: "ebpf",
  create: (nodeNetns) => createEbpfCapture({ pinFolder: PIN_FOLDER, nodeNetns }, { log, clock: systemClock }),
  remove: () => removeEbpfCapture(PIN_FOLDER),
});

describeCapture({
  name: "nftables",
  create: (nodeNetns) => createNftablesCapture({ nodeNetns }),
  // Its rules live in the namespaces, which the scene removes.
  remove: () => undefined,
});
