export type {
  Caller,
  Cancellation,
  FilterVerdict,
  LocalReply,
  RequestContext,
  RequestFilter,
  VerifiedToken,
} from "./request-context.ts";
