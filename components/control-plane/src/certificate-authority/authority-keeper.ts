/** Keeps the CA's material in line with its Secrets: finds or makes it, follows changes, renews it. Never logs a key. */

import type { RandomBytes } from "@meltemi/identity";
import {
  createInformer,
  createWorkQueue,
  type Informer,
  isAlreadyExists,
  isConflict,
  isNotFound,
  type KubernetesClient,
  SECRETS,
  type Secret,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import {
  type AuthoritySource,
  decideReload,
  keepRevocations,
  needsRenewal,
  newSelfSigned,
  readAuthority,
  renewSelfSigned,
  SECRET_NAMES,
  type SecretTexts,
  type SigningAuthority,
  textsOf,
} from "./authority-material.ts";
import { REVOCATION_KEY } from "./revocation-material.ts";

export interface AuthorityKeeperOptions {
  /** Of the control plane: `istio-system`. */
  readonly namespace: string;
  /** Organization in the root of a self-signed CA: the trust domain, as Istio writes it. */
  readonly organization: string;
  /** Whether `ca-crl.pem` of a plugged-in CA is read at all. */
  readonly revocationLists: boolean;
}

export interface AuthorityKeeperDeps {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "create" | "replace">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
}

export interface AuthorityKeeper extends AsyncDisposable {
  /** Undefined until a CA was found or made. */
  readonly current: SigningAuthority | undefined;
  /** Why the material in the Secret is not in use; empty when it is. */
  readonly problems: readonly string[];
  /** Resolves with the first CA. Pends while the Secret is refused: the log and `problems` say why. */
  readonly ready: Promise<SigningAuthority>;
  /** Called with every CA, the present one at once. Returns how to stop it. */
  onChange(listener: (authority: SigningAuthority) => void): () => void;
}

/** A certificate of tomorrow becomes valid and an old one is due without any event; an hour is soon enough for either. */
const RECHECK_MS = 3_600_000;
const KEY = "authority";

export function startAuthorityKeeper(
  options: AuthorityKeeperOptions,
  deps: AuthorityKeeperDeps,
): AuthorityKeeper {
  return new Keeper(options, deps);
}

class Keeper implements AuthorityKeeper {
  current: SigningAuthority | undefined;
  problems: readonly string[] = [];
  readonly #options: AuthorityKeeperOptions;
  readonly #deps: AuthorityKeeperDeps;
  readonly #first = Promise.withResolvers<SigningAuthority>();
  readonly #listeners = new Set<(authority: SigningAuthority) => void>();
  readonly #secrets: Readonly<Record<AuthoritySource, Informer<Secret>>>;
  readonly #queue: ReturnType<typeof createWorkQueue>;

  constructor(options: AuthorityKeeperOptions, deps: AuthorityKeeperDeps) {
    this.#options = options;
    this.#deps = deps;
    const { clock, random, log } = deps;
    this.#queue = createWorkQueue(
      { name: "certificate-authority" },
      { clock, random, log, reconcile: () => this.#reconcile() },
    );
    this.#secrets = { "plugged-in": this.#follow("plugged-in"), "self-signed": this.#follow("self-signed") };
    const both = Object.values(this.#secrets).map((informer) => informer.synced);
    // Only when both are known: a late `cacerts` must not find a self-signed CA made a moment before.
    void Promise.all(both).then(() => this.#queue.add(KEY));
  }

  get ready(): Promise<SigningAuthority> {
    return this.#first.promise;
  }

  onChange(listener: (authority: SigningAuthority) => void): () => void {
    const own = (authority: SigningAuthority): void => listener(authority);
    this.#listeners.add(own);
    if (this.current !== undefined) own(this.current);
    return () => void this.#listeners.delete(own);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const informer of Object.values(this.#secrets)) informer.stop();
    await this.#queue.stop();
    this.#listeners.clear();
  }

  #follow(source: AuthoritySource): Informer<Secret> {
    const { namespace } = this.#options;
    const fieldSelector = `metadata.name=${SECRET_NAMES[source]}`;
    const informer = createInformer(this.#deps.client, SECRETS, { namespace, fieldSelector }, this.#deps);
    const changed = (): void => this.#queue.add(KEY);
    informer.onChange({ add: changed, update: changed, delete: changed });
    return informer;
  }

  async #reconcile(): Promise<void> {
    if (!Object.values(this.#secrets).every((informer) => informer.hasSynced)) return;
    this.#queue.addAfter(KEY, RECHECK_MS);
    const [plugged] = this.#secrets["plugged-in"].list();
    const [own] = this.#secrets["self-signed"].list();
    const secret = plugged ?? own;
    if (secret === undefined) return await this.#restoreOrMake();
    const source = plugged === undefined ? "self-signed" : "plugged-in";
    const { [REVOCATION_KEY]: lists, ...rest } = textsFrom(secret);
    const read = this.#options.revocationLists && lists !== undefined;
    this.#take(source, read ? { ...rest, [REVOCATION_KEY]: lists } : rest);
    if (this.current?.source === "self-signed" && own !== undefined) await this.#renew(this.current, own);
  }

  /** No Secret at all: write what is in use back, or make a CA. Another replica may be faster; then the informer tells. */
  async #restoreOrMake(): Promise<void> {
    if (this.current?.source === "plugged-in") {
      this.#refuse([`Secret ${SECRET_NAMES["plugged-in"]} was deleted; the CA in use stays until a restart`]);
      return;
    }
    const nowMs = this.#deps.clock.nowMs();
    const { organization } = this.#options;
    const texts = this.current
      ? textsOf(this.current)
      : newSelfSigned(organization, nowMs, this.#deps.randomBytes);
    try {
      await this.#deps.client.create(SECRETS, this.#secretOf(texts));
      this.#deps.log.info(this.current ? "self-signed CA written back" : "self-signed CA made", {
        secret: SECRET_NAMES["self-signed"],
      });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  #take(source: AuthoritySource, texts: SecretTexts): void {
    const reading = readAuthority(source, texts, this.#deps.clock.nowMs());
    if (reading.kind === "refused") {
      this.#refuse(reading.problems);
      return;
    }
    const { authority, kept } = keepRevocations(this.current, reading.authority);
    const decision =
      this.current === undefined ? ({ kind: "accept" } as const) : decideReload(this.current, authority);
    if (decision.kind === "refuse") {
      this.#refuse([`Secret ${SECRET_NAMES[source]}: ${decision.why}`]);
      return;
    }
    this.problems = [];
    if (kept)
      this.#refuse([
        `Secret ${SECRET_NAMES[source]}, ${REVOCATION_KEY}: gone; the lists in use stay until a restart, or until other lists come`,
      ]);
    if (decision.kind === "unchanged") return;
    this.current = authority;
    this.#deps.log.info("certificate authority in use", {
      source,
      roots: authority.roots.length,
      serial: authority.issuer.certificate.serialNumber,
      revocation_bytes: authority.revocationListsPem.length,
    });
    this.#first.resolve(authority);
    for (const listener of [...this.#listeners]) listener(authority);
  }

  #refuse(problems: readonly string[]): void {
    this.problems = problems;
    const inUse = this.current === undefined ? "none: no certificate can be issued" : this.current.source;
    for (const problem of problems) this.#deps.log.error("CA material refused", { problem, inUse });
  }

  async #renew(authority: SigningAuthority, secret: Secret): Promise<void> {
    const nowMs = this.#deps.clock.nowMs();
    if (!needsRenewal(authority, nowMs)) return;
    const { organization } = this.#options;
    const texts = renewSelfSigned(authority, organization, nowMs, this.#deps.randomBytes);
    const { metadata } = secret;
    try {
      await this.#deps.client.replace(SECRETS, { ...this.#secretOf(texts), ...(metadata && { metadata }) });
      this.#deps.log.info("self-signed CA renewed with the same key");
    } catch (error) {
      // Another replica did it, or somebody changed the Secret: the informer brings what is true now.
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }

  #secretOf(texts: SecretTexts): Secret {
    const { namespace } = this.#options;
    return {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: SECRET_NAMES["self-signed"], namespace },
      type: "istio.io/ca-root",
      data: Object.fromEntries(
        Object.entries(texts).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
      ),
    };
  }
}

function textsFrom(secret: Secret): SecretTexts {
  return Object.fromEntries(
    Object.entries(secret.data ?? {}).map(([key, base64]) => [key, Buffer.from(base64, "base64").toString()]),
  );
}
