export type {
  Caller,
  FilterVerdict,
  LocalReply,
  RequestContext,
  RequestFilter,
  VerifiedToken,
} from "./request-context.ts";
