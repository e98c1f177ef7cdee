/** Every benchmark there is. */

import { certificatesSuite } from "./certificates.ts";
import type { Suite } from "./suite.ts";

export const SUITES: readonly Suite[] = [certificatesSuite];
