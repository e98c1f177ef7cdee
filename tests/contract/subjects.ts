/** All of the contract, by subject. */

import { admissionCases } from "./admission.cases.ts";
import { applyingCases } from "./applying.cases.ts";
import type { Cases } from "./contract.ts";
import { customCases } from "./custom.cases.ts";
import { deletingCases } from "./deleting.cases.ts";
import { edgeCases } from "./edge.cases.ts";
import { kubectlCases } from "./kubectl.cases.ts";
import { leaseCases } from "./leases.cases.ts";
import { patchingCases } from "./patching.cases.ts";
import { readingCases } from "./reading.cases.ts";
import { refusingCases } from "./refusing.cases.ts";
import { watchingCases } from "./watching.cases.ts";
import { writingCases } from "./writing.cases.ts";

export const SUBJECTS: Readonly<Record<string, Cases>> = {
  reading: readingCases,
  watching: watchingCases,
  writing: writingCases,
  refusing: refusingCases,
  patching: patchingCases,
  applying: applyingCases,
  deleting: deletingCases,
  leases: leaseCases,
  "custom resources": customCases,
  admission: admissionCases,
  "the edge": edgeCases,
  kubectl: kubectlCases,
};
