/** The forms of the routes' specs on the API. Fields with a default of the API may be absent still: not every server fills them in. */

export interface ParentRefSpec {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly port?: number;
  readonly sectionName?: string;
}

export interface BackendRefSpec {
  readonly group?: string;
  readonly kind?: string;
  readonly namespace?: string;
  readonly name: string;
  readonly port?: number;
  readonly weight?: number;
  readonly filters?: readonly FilterSpec[];
}

interface HeaderValueSpec {
  readonly name: string;
  readonly value: string;
}

export interface HeaderModifierSpec {
  readonly set?: readonly HeaderValueSpec[];
  readonly add?: readonly HeaderValueSpec[];
  readonly remove?: readonly string[];
}

export interface PathModifierSpec {
  readonly type: "ReplaceFullPath" | "ReplacePrefixMatch";
  readonly replaceFullPath?: string;
  readonly replacePrefixMatch?: string;
}

export interface RouteRedirectSpec {
  readonly scheme?: string;
  readonly hostname?: string;
  readonly path?: PathModifierSpec;
  readonly port?: number;
  readonly statusCode?: number;
}

export interface RouteCorsSpec {
  readonly allowOrigins?: readonly string[];
  readonly allowCredentials?: boolean;
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: number;
}

export interface FilterSpec {
  readonly type: string;
  readonly requestHeaderModifier?: HeaderModifierSpec;
  readonly responseHeaderModifier?: HeaderModifierSpec;
  readonly requestMirror?: {
    readonly backendRef: BackendRefSpec;
    readonly percent?: number;
    readonly fraction?: { readonly numerator: number; readonly denominator?: number };
  };
  readonly requestRedirect?: RouteRedirectSpec;
  readonly urlRewrite?: { readonly hostname?: string; readonly path?: PathModifierSpec };
  readonly cors?: RouteCorsSpec;
}

export interface ValueMatchSpec {
  readonly type?: "Exact" | "RegularExpression";
  readonly name: string;
  readonly value: string;
}

export interface RouteMatchSpec {
  readonly path?: { readonly type?: "Exact" | "PathPrefix" | "RegularExpression"; readonly value?: string };
  readonly headers?: readonly ValueMatchSpec[];
  readonly queryParams?: readonly ValueMatchSpec[];
  readonly method?: string;
}

interface RuleSpec {
  readonly name?: string;
  readonly filters?: readonly FilterSpec[];
  readonly backendRefs?: readonly BackendRefSpec[];
}

export interface HttpRouteRuleSpec extends RuleSpec {
  readonly matches?: readonly RouteMatchSpec[];
  readonly timeouts?: { readonly request?: string; readonly backendRequest?: string };
  readonly retry?: {
    readonly attempts?: number;
    readonly backoff?: string;
    readonly codes?: readonly number[];
  };
}

export interface GrpcRouteRuleSpec extends RuleSpec {
  readonly matches?: readonly {
    readonly method?: {
      readonly type?: "Exact" | "RegularExpression";
      readonly service?: string;
      readonly method?: string;
    };
    readonly headers?: readonly ValueMatchSpec[];
  }[];
}

interface CommonRouteSpec {
  readonly parentRefs?: readonly ParentRefSpec[];
  readonly hostnames?: readonly string[];
}

export interface HTTPRouteSpec extends CommonRouteSpec {
  readonly rules?: readonly HttpRouteRuleSpec[];
}

export interface GRPCRouteSpec extends CommonRouteSpec {
  readonly rules?: readonly GrpcRouteRuleSpec[];
}

/** TCPRoute and TLSRoute; the former has no hostnames. */
export interface StreamRouteSpec extends CommonRouteSpec {
  readonly rules?: readonly { readonly name?: string; readonly backendRefs?: readonly BackendRefSpec[] }[];
}
