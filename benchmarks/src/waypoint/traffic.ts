/** What the waypoint benchmark asks and what must be answered; the same through every proxy. */

/** Ports of the application in the benchmark's namespace: two versions of one service, told apart by a header of their answers. */
export const APPLICATION_PORTS = { v1: 9001, v2: 9002, v1Http2: 9003, v2Http2: 9004 } as const;

/** Where a proxy listens, from the first port that it was given. */
export const ENTRIES = { http1: 0, http2: 1, http2Both: 2 } as const;
/** What is spoken with the client and with the application: HTTP/1.1 and HTTP/1.1, HTTP/2 and HTTP/1.1, HTTP/2 and HTTP/2. */
export type Entry = keyof typeof ENTRIES;

/** Half of the routes ask for a header beside the path and lead to v2, the other half lead to v1. */
export const FEW_ROUTES = 100;
export const MANY_ROUTES = 10_000;
/** Services that are asked for, spread over all that have routes. */
const ASKED_SERVICES = FEW_ROUTES / 2;

const BODY_BYTES = 1024;
export const BODY: Buffer = Buffer.from(
  Array.from({ length: BODY_BYTES }, (_, at) => 97 + ((at * 7 + (at >> 5)) % 26)),
);

export const VERSION_HEADER = "x-served-by";
export const GROUP_HEADER = "x-group";
export const GROUP = "beta";

export const VERSIONS = ["v1", "v2"] as const;
export type Version = (typeof VERSIONS)[number];

/** The path prefixes that have routes. */
export function servicePrefixes(routes: number): readonly string[] {
  return Array.from({ length: routes / 2 }, (_, index) => `/service-${index}/`);
}

export interface Asked {
  readonly path: string;
  /** In lower case, without the host. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly answeredBy: Version;
}

export const AUTHORITY = "reviews.default.svc.cluster.local";

/** What a browser's or an SDK's call carries, some 500 bytes. */
const HEADERS: Asked["headers"] = [
  ["user-agent", "meltemi-benchmark/1.0"],
  ["accept", "application/json, text/plain, */*"],
  ["accept-encoding", "gzip, deflate, br"],
  ["accept-language", "en-GB,en;q=0.9"],
  ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
  [
    "cookie",
    "session=0f9a4c6e1f9b4b0fa5d0e7d8a4c3b2a190817263544536271809f0e1d2c3b4a5; theme=dark; region=eu",
  ],
  ["x-forwarded-for", "203.0.113.195"],
];

/** One request for each asked service and group, in turn. `routes` is how many the proxy has. */
export function askedRequests(routes: number): readonly Asked[] {
  const stride = routes / FEW_ROUTES;
  return Array.from({ length: ASKED_SERVICES }, (_, index) => index).flatMap((index) => {
    const path = `/service-${index * stride}/items/${1000 + index}?page=2&sort=name`;
    return [
      { path, headers: HEADERS, answeredBy: "v1" },
      { path, headers: [...HEADERS, [GROUP_HEADER, GROUP] as const], answeredBy: "v2" },
    ] satisfies readonly Asked[];
  });
}

/** Fields of an answer beside its version and its length. */
export const ANSWER_HEADERS: Asked["headers"] = [
  ["content-type", "application/json"],
  ["cache-control", "no-cache, private"],
  ["etag", '"33a64df551425fcc55e4d42a148795d9f25f89d4"'],
  ["date", "Tue, 15 Nov 1994 08:12:31 GMT"],
  ["vary", "accept-encoding"],
];
