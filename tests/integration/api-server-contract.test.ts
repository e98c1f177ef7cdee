/** The API server contract, by the local cluster's own server. */

import { describeContract } from "../contract/contract.ts";
import { SUBJECTS } from "../contract/subjects.ts";
import { startTestCluster } from "./api-server.fixture.ts";

describeContract(
  "embedded",
  async () => {
    const { port, caPem, adminToken, kubeconfig, close } = await startTestCluster();
    return { url: `https://127.0.0.1:${port}`, ca: caPem, token: adminToken, kubeconfig, stop: close };
  },
  SUBJECTS,
);
