/** Every benchmark there is. */

import type { Suite } from "./suite.ts";

export const SUITES: readonly Suite[] = [];
