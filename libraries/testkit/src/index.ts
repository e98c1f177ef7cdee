export {
  createTestAuthority,
  type TestAuthority,
  type TestAuthorityOptions,
  type TestCertificateOptions,
} from "./authority.ts";
export { policy, policyMatch, service, servicePort, workload } from "./builders.ts";
export { type EventuallyOptions, eventually } from "./eventually.ts";
export { createFakeClock, type FakeClock } from "./fake-clock.ts";
export {
  type FrameFields,
  frame,
  headersFrame,
  parseFrames,
  type SeenFrame,
  setting,
  uint32,
} from "./http2-frames.ts";
export { type CommandResult, type RunOptions, runIn, spawnIn } from "./netns-command.ts";
export { createNetnsLab, type LabNode, type LabPlace, type NetnsLab } from "./netns-lab.ts";
export { startTcpServer, type TcpServer, type TcpServerOptions } from "./tcp-server.ts";
export { createTemporaryFolder, type TemporaryFolder } from "./temporary-folder.ts";
