/** Every benchmark there is. */

import { apiSuite } from "./api/suite.ts";
import { certificatesSuite } from "./certificates.ts";
import { controlPlaneSuite } from "./control-plane/suite.ts";
import { l4NftablesSuite, l4Suite } from "./l4/suite.ts";
import { tunnelSuite } from "./l4/tunnel.ts";
import type { Suite } from "./suite.ts";
import { waypointSuite } from "./waypoint/suite.ts";

export const SUITES: readonly Suite[] = [
  l4Suite,
  l4NftablesSuite,
  controlPlaneSuite,
  certificatesSuite,
  tunnelSuite,
  waypointSuite,
  apiSuite,
];
