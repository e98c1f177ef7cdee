import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JwtRule } from "@meltemi/model/l7";
import { base64url, keySet, newSigningKey, newToken } from "../signatures/token.fixture.ts";
import { ask, bearer, claims, good, jwtRule, KEY, NOW, OTHER, World } from "./token-filter.fixture.ts";

describe("a token", () => {
  test("absent: the request passes, and is nobody's", () => {
    const { context, reply } = ask([jwtRule()], {});
    assert.equal(reply, undefined);
    assert.equal(context.token, undefined);
  });
  test("good: who it is of is known, and the token goes no further", () => {
    const { context, reply } = ask([jwtRule()], bearer(good({ aud: "x", scope: "a b" })));
    assert.equal(reply, undefined);
    assert.equal(context.token?.issuer, "https://issuer");
    assert.equal(context.token?.subject, "sub-1");
    assert.deepEqual(context.token?.audiences, ["x"]);
    assert.deepEqual(context.token?.spaceDelimitedClaims, ["scope", "permission"]);
    assert.equal(context.request.headers.has("authorization"), false);
  });
  test("it is forwarded where that is asked for", () => {
    const { context } = ask([jwtRule({ forwardOriginalToken: true })], bearer(good()));
    assert.equal(context.request.headers.has("authorization"), true);
  });

  const without = (name: keyof typeof claims): Readonly<Record<string, unknown>> => {
    const { [name]: _, ...rest } = claims;
    return rest;
  };
  const REFUSED: readonly (readonly [
    name: string,
    token: string,
    why: string,
    rule?: Partial<JwtRule>,
    status?: number,
  ])[] = [
    ["expired", good({ exp: NOW - 61 }), "Jwt is expired"],
    ["not yet valid", good({ nbf: NOW + 61 }), "Jwt not yet valid"],
    ["of another issuer", good({ iss: "https://other" }), "Jwt issuer is not configured"],
    ["of no issuer", newToken(KEY, without("iss")), "Jwt issuer is not configured"],
    [
      "for another audience",
      good({ aud: ["x"] }),
      "Audiences in Jwt are not allowed",
      { audiences: ["y"] },
      403,
    ],
    ["for no audience", good(), "Audiences in Jwt are not allowed", { audiences: ["y"] }, 403],
    [
      "signed by another key",
      newToken({ ...OTHER, algorithm: "RS256", keyId: KEY.keyId }, claims),
      "Jwt verification fails",
    ],
    [
      "of a key that is not known",
      newToken(OTHER, claims),
      "Jwks doesn't have key to match kid or alg from Jwt",
    ],
    [
      "without a signature",
      `${base64url({ alg: "none" })}.${base64url(claims)}.`,
      "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    ],
    [
      "with alg none and a signature",
      newToken(KEY, claims, { alg: "none" }),
      "Jwt header [alg] is not supported",
    ],
    ["with alg None", newToken(KEY, claims, { alg: "None" }), "Jwt header [alg] is not supported"],
    ["without alg", newToken(KEY, claims, {}), "Jwt header [alg] field is required and must be a string"],
    [
      "with crit",
      newToken(KEY, claims, { alg: "RS256", crit: ["exp"] }),
      "Jwt header [crit] is not supported",
    ],
    [
      "with a list as kid",
      newToken(KEY, claims, { alg: "RS256", kid: ["x"] }),
      "Jwt header [kid] field is not a string",
    ],
    ["with a text as exp", good({ exp: "never" }), "Jwt payload [exp] field is not an integer"],
    ["with a negative exp", good({ exp: -1 }), "Jwt payload [exp] field is not a positive 64 bit integer"],
    ["with a number as aud", good({ aud: 7 }), "Jwt payload [aud] field is not a string or string list"],
    ["with a list as sub", good({ sub: [] }), "Jwt payload [sub] field is not a string"],
    [
      "with two parts",
      "a.b",
      "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    ],
    [
      "with four parts",
      `${good()}.x`,
      "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    ],
    [
      "endless",
      `${"a".repeat(40_000)}.b.c`,
      "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections",
    ],
    ["empty", "", "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"],
    ["not in base64url", `!${good()}`, "Jwt header is an invalid Base64url encoded"],
    ["with a list as its head", newToken(KEY, claims, [] as never), "Jwt header is an invalid JSON"],
    ["whose head is no JSON", `${base64url("{")}.${base64url(claims)}.AAAA`, "Jwt header is an invalid JSON"],
    ["whose payload is no JSON", newToken(KEY, "nothing"), "Jwt payload is an invalid JSON"],
    ["whose payload is no UTF-8", `${base64url({ alg: "RS256" })}._w.AAAA`, "Jwt payload is an invalid JSON"],
    [
      "whose signature is no base64url",
      `${good().split(".").slice(0, 2).join(".")}.*`,
      "Jwt signature is an invalid Base64url encoded",
    ],
    ["while the keys are none", good(), "Jwks is an invalid JSON", { jwks: "" }],
    [
      "while keys could not be fetched",
      good(),
      "Jwks doesn't have key to match kid or alg from Jwt",
      { jwks: '{"keys":[]}' },
    ],
  ];
  for (const [name, token, why, rule, status = 401] of REFUSED)
    test(`${name}: ${status}`, () => {
      const { context, reply } = ask([jwtRule(rule)], { ...bearer(token), path: "/a?secret=1" });
      assert.equal(reply?.body, why);
      assert.equal(reply.status, status);
      assert.deepEqual(reply.headers, [
        ["www-authenticate", 'Bearer realm="http://echo.example/a", error="invalid_token"'],
      ]);
      assert.equal(reply.details, `jwt_authn_access_denied{${why.replaceAll(" ", "_")}}`);
      assert.equal(context.token, undefined);
    });

  test("clocks may differ by a minute", () => {
    for (const token of [good({ exp: NOW - 59 }), good({ nbf: NOW + 59 }), newToken(KEY, without("exp"))])
      assert.equal(ask([jwtRule()], bearer(token)).reply, undefined);
  });
  test("one of its audiences is enough", () =>
    assert.equal(
      ask([jwtRule({ audiences: ["x", "y"] })], bearer(good({ aud: ["z", "y"] }))).reply,
      undefined,
    ));
  test("the realm cannot be closed from within", () => {
    const { reply } = ask([jwtRule()], { ...bearer("x"), authority: 'a"b', path: "/\\" });
    assert.match(reply?.headers[0]?.[1] ?? "", /^Bearer realm="http:\/\/a%22b\/%5C", error=/);
  });
});

describe("a verified token", () => {
  test("is good again, until it expires", () => {
    const world = new World();
    const request = bearer(good());
    const first = ask([jwtRule()], request, world).context.token;
    assert.ok(first !== undefined);
    assert.equal(ask([jwtRule()], request, world).context.token, first);
    world.nowMs = (NOW + 3600 + 61) * 1000;
    assert.equal(ask([jwtRule()], request, world).reply?.body, "Jwt is expired");
  });
  test("is verified again when the keys change", () => {
    const world = new World();
    const request = bearer(good());
    assert.equal(ask([jwtRule()], request, world).reply, undefined);
    const rotated = jwtRule({ jwks: keySet(newSigningKey("RS256")) });
    assert.equal(ask([rotated], request, world).reply?.body, "Jwt verification fails");
    assert.equal(ask([jwtRule({ audiences: ["y"] })], request, world).reply?.status, 403);
  });
});
