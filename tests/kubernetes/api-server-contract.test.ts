/** The API server contract, by a real kube-apiserver: what the embedded one is held to. Needs no node. */

import { describeContract } from "../contract/contract.ts";
import { SUBJECTS } from "../contract/subjects.ts";
import { startKubeApiServer } from "./kube-api-server.ts";

describeContract(
  "kube-apiserver 1.20",
  // Without controllers nobody makes the tokens that this plugin waits for.
  () => startKubeApiServer({ flags: { "disable-admission-plugins": "ServiceAccount" } }),
  SUBJECTS,
);
