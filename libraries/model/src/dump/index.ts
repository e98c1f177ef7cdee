export { type ReadDump, readDump } from "./read-dump.ts";
export { readPorts, readService, readWorkload } from "./read-mesh.ts";
export { readPolicy } from "./read-policy.ts";
export { Shape } from "./shape.ts";
