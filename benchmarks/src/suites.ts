/** Every benchmark there is. */

import { certificatesSuite } from "./certificates.ts";
import { tunnelSuite } from "./l4/tunnel.ts";
import type { Suite } from "./suite.ts";

export const SUITES: readonly Suite[] = [certificatesSuite, tunnelSuite];
