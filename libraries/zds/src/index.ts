export {
  createZdsClient,
  type ZdsClient,
  type ZdsClientDependencies,
  type ZdsClientOptions,
  type ZdsHandler,
} from "./client.ts";
export type { ZdsAnswer, ZdsWorkload } from "./codec.ts";
export type { ZdsPod, ZdsPods } from "./pods.ts";
export {
  createZdsServer,
  type ZdsServer,
  type ZdsServerDependencies,
  type ZdsServerOptions,
} from "./server.ts";
