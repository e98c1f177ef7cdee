import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Algorithm, decodeBase64url } from "../authentication/token-text.ts";
import { readKeySet } from "./key-set.ts";
import {
  base64url,
  keySet,
  newSigningKey,
  newToken,
  type SigningKey,
  secretSigningKey,
} from "./token.fixture.ts";

function faultOf(token: string, jwks: string): string | undefined {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const { alg, kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as {
    readonly alg: Algorithm;
    readonly kid?: string;
  };
  const set = readKeySet(jwks);
  if (set.kind === "bad") return set.why;
  return set.keys.faultOf({
    algorithm: alg,
    keyId: kid,
    signed: Buffer.from(`${header}.${payload}`),
    signature: decodeBase64url(signature) ?? Buffer.alloc(0),
  });
}

const JOE = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const VECTORS = [
  {
    name: "RFC 7515 A.1: HS256",
    token: `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
    key: {
      kty: "oct",
      k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    },
  },
  {
    name: "RFC 7515 A.2: RS256",
    token: `eyJhbGciOiJSUzI1NiJ9.${JOE}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
    key: {
      kty: "RSA",
      n: "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
      e: "AQAB",
    },
  },
  {
    name: "RFC 7515 A.3: ES256",
    token: `eyJhbGciOiJFUzI1NiJ9.${JOE}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
    key: {
      kty: "EC",
      crv: "P-256",
      x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      y: "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    },
  },
  {
    name: "RFC 8037 A.4: EdDSA",
    token:
      "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    key: { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" },
  },
] as const;

for (const { name, token, key } of VECTORS)
  test(name, () => {
    assert.equal(faultOf(token, JSON.stringify({ keys: [key] })), undefined);
    const [header = "", payload = "", signature = ""] = token.split(".");
    const other = `${header}.${payload.startsWith("A") ? "B" : "A"}${payload.slice(1)}.${signature}`;
    assert.equal(faultOf(other, JSON.stringify({ keys: [key] })), "Jwt verification fails");
  });

const SIGNING: readonly SigningKey[] = (
  ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"] as const
).map((algorithm) => newSigningKey(algorithm));

describe("generated keys", () => {
  for (const key of SIGNING)
    test(key.algorithm, () => {
      assert.equal(faultOf(newToken(key, { iss: "i" }), keySet(key)), undefined);
      const forged = newToken({ ...key, sign: newSigningKey(key.algorithm as "RS256").sign }, { iss: "i" });
      assert.equal(faultOf(forged, keySet(...SIGNING)), "Jwt verification fails");
    });
});

const [rsa = SIGNING[0], , , pss = SIGNING[3]] = SIGNING;
const NO_KEY = "Jwks doesn't have key to match kid or alg from Jwt";
const NO_VALID_KEY = "Jwks doesn't have any valid public key";

describe("keys and tokens that do not fit", () => {
  assert.ok(rsa !== undefined && pss !== undefined);
  const token = newToken(rsa, {});
  test("another kid", () =>
    assert.equal(faultOf(newToken(rsa, {}, { alg: "RS256", kid: "x" }), keySet(rsa)), NO_KEY));
  test("no kid: every key that fits", () =>
    assert.equal(faultOf(newToken(rsa, {}, { alg: "RS256" }), keySet(pss, rsa)), undefined));
  test("a key without kid fits any", () => {
    const { kid: _, ...jwk } = rsa.jwk;
    assert.equal(faultOf(token, JSON.stringify({ keys: [jwk] })), undefined);
  });
  test("the key is for another algorithm", () =>
    assert.equal(faultOf(token, JSON.stringify({ keys: [{ ...rsa.jwk, alg: "RS512" }] })), NO_KEY));
  test("HMAC with the public key as its secret", () => {
    const published = keySet(rsa);
    for (const secret of [published, JSON.stringify(rsa.jwk), String(rsa.jwk["n"])]) {
      const forged = newToken(secretSigningKey(Buffer.from(secret), rsa.keyId), {});
      assert.equal(faultOf(forged, published), NO_KEY);
    }
  });
  test("an EC signature in DER is none", () => {
    const der = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = newSigningKey("ES256");
    const signed = `${base64url({ alg: "ES256" })}.${base64url({})}`;
    const signature = Buffer.from(der.privateKey.export({ type: "pkcs8", format: "der" })).subarray(0, 71);
    assert.equal(
      faultOf(`${signed}.${signature.toString("base64url")}`, keySet(key)),
      "Jwt verification fails",
    );
  });
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  for (const [name, key] of [
    ["for encryption", { ...rsa.jwk, use: "enc" }],
    ["for signing only", { ...rsa.jwk, key_ops: ["sign"] }],
    ["too short", weak],
    ["of a curve of no algorithm", { kty: "EC", crv: "secp256k1", x: "AA", y: "AA" }],
    [
      "not on its curve",
      { kty: "EC", crv: "P-256", x: base64url("x".repeat(32)), y: base64url("y".repeat(32)) },
    ],
    ["a short secret", { kty: "oct", k: "AAAA" }],
    ["of no kind", {}],
    ["no object", 7],
    ["a number as kid", { ...rsa.jwk, kid: 7 }],
  ] as const)
    test(`a key ${name} is none`, () =>
      assert.equal(faultOf(token, JSON.stringify({ keys: [key] })), NO_VALID_KEY));
  test("sets that are none", () => {
    assert.equal(faultOf(token, "{"), "Jwks is an invalid JSON");
    assert.equal(faultOf(token, "{}"), "Jwks does not have [keys] field");
    assert.equal(faultOf(token, '{"keys":{}}'), "[keys] in Jwks is not an array");
    assert.equal(faultOf(token, '{"keys":[]}'), NO_KEY);
  });
});

test("noise is no key set and no signature, and breaks nothing", () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.constantFrom("RSA", "EC", "oct", "OKP", "P-256", "Ed25519", "AQAB"),
  );
  const jwk = fc.dictionary(
    fc.constantFrom("kty", "crv", "n", "e", "x", "y", "k", "kid", "alg", "use"),
    value,
  );
  fc.assert(
    fc.property(
      fc.array(jwk, { maxLength: 4 }),
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(9),
      (keys, signature, at) => {
        const set = readKeySet(JSON.stringify({ keys: [...keys, ...SIGNING.map((key) => key.jwk)] }));
        assert.ok(set.kind === "ok");
        const { algorithm = "RS256", keyId = "" } = SIGNING[at] ?? {};
        assert.notEqual(
          set.keys.faultOf({ algorithm, keyId, signed: Buffer.from("x"), signature }),
          undefined,
        );
      },
    ),
    { numRuns: 60 },
  );
  fc.assert(fc.property(fc.string(), (text) => void readKeySet(text)));
});
