/** Every benchmark there is. */

import { certificatesSuite } from "./certificates.ts";
import { controlPlaneSuite } from "./control-plane/suite.ts";
import { tunnelSuite } from "./l4/tunnel.ts";
import type { Suite } from "./suite.ts";

export const SUITES: readonly Suite[] = [certificatesSuite, controlPlaneSuite, tunnelSuite];
