/** The form of a VirtualService's spec on the API (reference: l7-and-cli §2.4). Durations are text; absent means not given. */

import type { PercentSpec, StringMatchSpec } from "./routing-parts.ts";

export interface DestinationSpec {
  /** A short name is of the VirtualService's namespace. */
  readonly host: string;
  readonly subset?: string;
  readonly port?: { readonly number?: number };
}

export interface HeaderOperationsSpec {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
}

export interface HeadersSpec {
  readonly request?: HeaderOperationsSpec;
  readonly response?: HeaderOperationsSpec;
}

export interface HttpMatchSpec {
  readonly name?: string;
  readonly uri?: StringMatchSpec;
  readonly scheme?: StringMatchSpec;
  readonly method?: StringMatchSpec;
  readonly authority?: StringMatchSpec;
  readonly headers?: Readonly<Record<string, StringMatchSpec>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatchSpec>>;
  readonly queryParams?: Readonly<Record<string, StringMatchSpec>>;
  readonly port?: number;
  readonly ignoreUriCase?: boolean;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
}

export interface HttpDestinationSpec {
  readonly destination: DestinationSpec;
  readonly weight?: number;
  readonly headers?: HeadersSpec;
}

export interface HttpRedirectSpec {
  readonly uri?: string;
  readonly prefixRewrite?: string;
  readonly authority?: string;
  readonly port?: number;
  readonly derivePort?: "FROM_PROTOCOL_DEFAULT" | "FROM_REQUEST_PORT";
  readonly scheme?: string;
  readonly redirectCode?: number;
}

export interface HttpRewriteSpec {
  readonly uri?: string;
  readonly authority?: string;
  readonly uriRegexRewrite?: { readonly match?: string; readonly rewrite?: string };
}

export interface HttpRetrySpec {
  readonly attempts?: number;
  readonly perTryTimeout?: string;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
  readonly retryIgnorePreviousHosts?: boolean;
  readonly backoff?: string;
}

export interface HttpFaultSpec {
  readonly delay?: {
    readonly fixedDelay?: string;
    readonly percentage?: PercentSpec;
    readonly percent?: number;
  };
  readonly abort?: {
    readonly httpStatus?: number;
    readonly grpcStatus?: string;
    readonly percentage?: PercentSpec;
  };
}

export interface CorsPolicySpec {
  readonly allowOrigin?: readonly string[];
  readonly allowOrigins?: readonly StringMatchSpec[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: string;
  readonly allowCredentials?: boolean;
  readonly unmatchedPreflights?: "UNSPECIFIED" | "FORWARD" | "IGNORE";
}

export interface HttpRouteSpec {
  readonly name?: string;
  readonly match?: readonly HttpMatchSpec[];
  readonly route?: readonly HttpDestinationSpec[];
  readonly redirect?: HttpRedirectSpec;
  readonly directResponse?: {
    readonly status: number;
    /** `bytes` is base64. */
    readonly body?: { readonly string?: string; readonly bytes?: string };
  };
  readonly delegate?: { readonly name: string; readonly namespace?: string };
  readonly rewrite?: HttpRewriteSpec;
  readonly timeout?: string;
  readonly retries?: HttpRetrySpec;
  readonly fault?: HttpFaultSpec;
  readonly mirror?: DestinationSpec;
  readonly mirrorPercentage?: PercentSpec;
  readonly mirrorPercent?: number;
  readonly mirror_percent?: number;
  readonly mirrors?: readonly { readonly destination: DestinationSpec; readonly percentage?: PercentSpec }[];
  readonly corsPolicy?: CorsPolicySpec;
  readonly headers?: HeadersSpec;
}

export interface StreamMatchSpec {
  readonly sniHosts?: readonly string[];
  readonly destinationSubnets?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly sourceNamespace?: string;
  readonly gateways?: readonly string[];
}

export interface StreamRouteSpec {
  readonly match?: readonly StreamMatchSpec[];
  readonly route?: readonly { readonly destination: DestinationSpec; readonly weight?: number }[];
}

export interface VirtualServiceSpec {
  /** None: it is a delegate. */
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly HttpRouteSpec[];
  readonly tls?: readonly StreamRouteSpec[];
  readonly tcp?: readonly StreamRouteSpec[];
  readonly exportTo?: readonly string[];
}
