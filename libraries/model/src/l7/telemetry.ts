/** What is told of the requests of one service (reference: l7-and-cli §2.9, §5): the Telemetry resources that apply, merged. */

export interface TelemetrySettings {
  readonly accessLog: AccessLogSettings;
  readonly metrics: readonly MetricOverride[];
  readonly tracing: TracingSettings;
}

export type AccessLogSettings =
  | { readonly kind: "off" }
  | {
      readonly kind: "on";
      readonly format:
        | { readonly kind: "text"; readonly text: string }
        | { readonly kind: "json"; readonly labels: Readonly<Record<string, string>> };
      /** CEL over `response.code`, `request.*`, `connection.mtls`; absent: every request. */
      readonly filter?: string;
    };

/** In order; a later one wins. */
export interface MetricOverride {
  /** Name as on the wire, such as `istio_requests_total`; absent: all. */
  readonly metric?: string;
  /** Absent: as an earlier one says; none is disabled to begin with. */
  readonly disabled?: boolean;
  /** Label → CEL expression, or undefined to leave the label out. */
  readonly tags: readonly { readonly name: string; readonly value?: string }[];
}

export interface TracingSettings {
  /** Absent: headers are passed on and no span is made. */
  readonly collector?: {
    readonly protocol: "otlpHttp" | "zipkin";
    /** Name of a cluster in the waypoint's settings. */
    readonly cluster: string;
    readonly path: string;
  };
  /** 0 to 100. */
  readonly samplingPercent: number;
  readonly customTags: readonly {
    readonly name: string;
    readonly from:
      | { readonly kind: "literal"; readonly value: string }
      | { readonly kind: "header"; readonly name: string; readonly fallback?: string };
  }[];
}
