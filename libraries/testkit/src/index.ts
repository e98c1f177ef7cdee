export {
  createTestAuthority,
  type TestAuthority,
  type TestAuthorityOptions,
  type TestCertificateOptions,
} from "./authority.ts";
export { type EventuallyOptions, eventually } from "./eventually.ts";
export { createFakeClock, type FakeClock } from "./fake-clock.ts";
export { createTemporaryFolder, type TemporaryFolder } from "./temporary-folder.ts";
