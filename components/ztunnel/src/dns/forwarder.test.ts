import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { systemClock } from "@meltemi/runtime";
import { createPodSockets } from "../sockets/pod-sockets.ts";
import { createForwarder, FORWARDER_DEFAULTS } from "./forwarder.ts";
import { readQuery } from "./message.ts";

/** `a.` IN A. */
const QUESTION = Buffer.from("00010100000100000000000001610000010001", "hex");

test("a name server that the kernel refuses to connect to is an answer, not the end of the process", async () => {
  const sockets = createPodSockets({ portReuse: false }, { clock: systemClock });
  // Without SO_BROADCAST the kernel refuses at once, as it does where there is no route.
  const nameservers = [{ ip: ip("255.255.255.255"), port: 53 }];
  const forwarder = createForwarder({ ...FORWARDER_DEFAULTS, nameservers }, { sockets });
  const query = readQuery(QUESTION);
  assert.ok(query.kind === "query");
  await assert.rejects(forwarder.forward(QUESTION, query.query, "udp"), /255\.255\.255\.255: connect EACCES/);
});
