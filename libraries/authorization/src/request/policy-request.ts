/** One request, or one connection whose bytes are not read, as policy looks at it. Each value is made when it is first asked for. */

import {
  DEFAULT_TRUST_DOMAIN,
  formatIdentity,
  type Identity,
  type Ip,
  ipBytes,
  parseIp,
} from "@meltemi/model";

/** What is known of any connection. */
export interface PolicyConnection {
  /** Verified by mutual TLS; undefined: not known to be anyone. */
  readonly identity: Identity | undefined;
  /** Of the workload itself. */
  readonly sourceIp: Ip;
  /** What the client dialled: the port is the service's. */
  readonly destination: { readonly ip: Ip; readonly port: number };
  readonly serverName: string | undefined;
}

/** What a verified token says. */
export interface PolicyToken {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly audiences: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Claims that are lists of words in one text. */
  readonly spaceDelimitedClaims: readonly string[];
}

/** What only HTTP tells. Texts are those of the head, a character for each byte; names of header fields in lower case. */
export interface PolicyRequest {
  readonly method: string;
  readonly authority: string;
  /** Normalized, without its query. */
  readonly path: string;
  /** All values of a field as one list. */
  readonly headers: { joined(name: string): string | undefined };
  readonly token: PolicyToken | undefined;
  /** Filter → key → value. */
  readonly metadata: { get(filter: string): Readonly<Record<string, unknown>> | undefined };
}

/** What the mesh says of itself, for reading identities and addresses. */
export interface PolicyWorld {
  /** Of this mesh and its aliases: all the same to a policy, which may also call them `cluster.local` (reference: l7-and-cli §2.1, principals). */
  readonly trustDomains: readonly string[];
  /** How many proxies in front of this one wrote to `x-forwarded-for` and may be believed. */
  readonly trustedProxies: number;
}

const NOBODY: readonly string[] = [];

export class PolicyFacts {
  readonly connection: PolicyConnection;
  readonly request: PolicyRequest | undefined;
  readonly #world: PolicyWorld;
  #principals: readonly string[] | undefined;
  #trustDomains: readonly string[] | undefined;
  #sourceBytes: Uint8Array | undefined;
  #remoteBytes: Uint8Array | undefined;
  #destinationBytes: Uint8Array | undefined;
  #host: string | undefined;

  constructor(connection: PolicyConnection, request: PolicyRequest | undefined, world: PolicyWorld) {
    this.connection = connection;
    this.request = request;
    this.#world = world;
  }

  /** The caller is of this mesh, under its name or an alias. */
  get isOfMesh(): boolean {
    const { identity } = this.connection;
    return identity !== undefined && this.#world.trustDomains.includes(identity.trustDomain);
  }

  /** Every trust domain that the caller's may be written as. Empty without an identity. */
  get trustDomains(): readonly string[] {
    this.#trustDomains ??= this.#namesOfTrustDomain();
    return this.#trustDomains;
  }

  /** SPIFFE ids without their scheme, in each of {@link trustDomains}. */
  get principals(): readonly string[] {
    const { identity } = this.connection;
    if (identity === undefined) return NOBODY;
    this.#principals ??= this.trustDomains.map((trustDomain) =>
      formatIdentity({ ...identity, trustDomain }).slice("spiffe://".length),
    );
    return this.#principals;
  }

  get sourceBytes(): Uint8Array {
    this.#sourceBytes ??= ipBytes(this.connection.sourceIp);
    return this.#sourceBytes;
  }

  get destinationBytes(): Uint8Array {
    this.#destinationBytes ??= ipBytes(this.connection.destination.ip);
    return this.#destinationBytes;
  }

  /** The client as far as proxies may be believed, else who is connected. */
  get remoteBytes(): Uint8Array {
    if (this.#remoteBytes === undefined) {
      const forwardedFor = this.request?.headers.joined("x-forwarded-for");
      const remote = forwardedFor && parseIp(entryFromRight(forwardedFor, this.#world.trustedProxies));
      this.#remoteBytes = remote ? ipBytes(remote) : this.sourceBytes;
    }
    return this.#remoteBytes;
  }

  /** Authority in lower case, with its port if it has one. */
  get host(): string {
    this.#host ??= this.request?.authority.toLowerCase() ?? "";
    return this.#host;
  }

  #namesOfTrustDomain(): readonly string[] {
    const { identity } = this.connection;
    if (identity === undefined) return NOBODY;
    const { trustDomains } = this.#world;
    if (!this.isOfMesh) return [identity.trustDomain];
    return trustDomains.includes(DEFAULT_TRUST_DOMAIN)
      ? trustDomains
      : [...trustDomains, DEFAULT_TRUST_DOMAIN];
  }
}

/** The last entry of a list, `skipped` further to the left; empty when there are not so many. */
function entryFromRight(list: string, skipped: number): string {
  let end = list.length;
  for (let left = skipped; left > 0; left--) {
    end = list.lastIndexOf(",", end - 1);
    if (end <= 0) return "";
  }
  const start = end === 0 ? -1 : list.lastIndexOf(",", end - 1);
  return list.slice(start + 1, end).trim();
}
