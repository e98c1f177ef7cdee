/**
 * A certificate authority that shares no code with ours: the openssl command line, with an RSA root and an RSA intermediate as
 * istiod has them (reference: protocol §4.3).
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** PEM texts, as a peer's TLS takes them. */
export interface ForeignCredentials {
  readonly key: string;
  /** Leaf first, then the intermediate. */
  readonly cert: string;
  readonly ca: string;
}

export interface ForeignLeafOptions {
  /** Default 1; a negative number gives a certificate that has expired. */
  readonly days?: number;
  /** Default `serverAuth,clientAuth`. */
  readonly uses?: string;
}

export interface ForeignAuthority extends Disposable {
  readonly rootPem: string;
  readonly intermediatePem: string;
  /** A fresh P-256 key with a certificate for `names`: openssl's words, such as `URI:spiffe://…` or `DNS:…`. */
  issue(names: string, options?: ForeignLeafOptions): ForeignCredentials;
  /** The leaf for somebody else's key. The request's own names count for nothing, as at istiod. */
  sign(csrPem: string, names: string, options?: ForeignLeafOptions): string;
}

/** `organization`: the trust domain, as in istiod's self-signed root. */
export function createForeignAuthority(organization = "cluster.local"): ForeignAuthority {
  const folder = mkdtempSync(join(tmpdir(), "meltemi-foreign-"));
  const file = (name: string): string => join(folder, name);
  const text = (name: string): string => readFileSync(file(name), "utf8");
  const openssl = (...args: readonly string[]): void =>
    void execFileSync("openssl", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] });
  let serial = 1;
  const signed = (
    csr: string,
    out: string,
    extensions: readonly string[],
    by: string,
    days: number,
  ): void => {
    writeFileSync(file("extensions"), extensions.join("\n"));
    const issuer = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-set_serial", String(++serial)];
    openssl(
      "x509",
      "-req",
      "-in",
      csr,
      ...issuer,
      "-extfile",
      "extensions",
      "-days",
      String(days),
      "-out",
      out,
    );
  };
  const subject = ["-subj", `/O=${organization}`];
  const authorityUse = [
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign",
  ];
  const rsa = ["-newkey", "rsa:2048", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...rsa,
    "-keyout",
    "root.key",
    "-out",
    "root.pem",
    "-days",
    "3650",
    ...subject,
    ...authorityUse,
  );
  openssl(
    "req",
    ...rsa,
    "-keyout",
    "middle.key",
    "-out",
    "middle.csr",
    "-subj",
    `/O=${organization}/CN=middle`,
  );
  const ofAuthority = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign"];
  signed("middle.csr", "middle.pem", ofAuthority, "root", 365);

  const sign: ForeignAuthority["sign"] = (csrPem, names, options = {}) => {
    writeFileSync(file("leaf.csr"), csrPem);
    const extensions = [
      ...(names === "" ? [] : [`subjectAltName=critical,${names}`]),
      "keyUsage=critical,digitalSignature,keyEncipherment",
      `extendedKeyUsage=${options.uses ?? "serverAuth,clientAuth"}`,
      "basicConstraints=critical,CA:FALSE",
    ];
    signed("leaf.csr", "leaf.pem", extensions, "middle", options.days ?? 1);
    return text("leaf.pem");
  };
  return {
    rootPem: text("root.pem"),
    intermediatePem: text("middle.pem"),
    sign,
    issue(names, options) {
      openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "peer.key");
      openssl("req", "-new", "-key", "peer.key", "-subj", "/", "-out", "peer.csr");
      const leaf = sign(text("peer.csr"), names, options);
      return { key: text("peer.key"), cert: leaf + text("middle.pem"), ca: text("root.pem") };
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}
