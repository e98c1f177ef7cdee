import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import { encodeProxyHeader, encodeProxyLine } from "./proxy-protocol.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";
const CLIENT = { ip: ip("10.0.0.1"), port: 0x1234 };

test("IPv4 with an identity", () => {
  const identity = { trustDomain: "td", namespace: "n", serviceAccount: "s" };
  const id = Buffer.from("spiffe://td/ns/n/sa/s").toString("hex");
  assert.equal(
    encodeProxyHeader(CLIENT, { ip: ip("10.0.0.2"), port: 80 }, identity).toString("hex"),
    `${SIGNATURE}21110024${"0a000001"}${"0a000002"}12340050d00015${id}`,
  );
});

test("IPv6 without an identity", () => {
  assert.equal(
    encodeProxyHeader({ ip: ip("fd00::1"), port: 1 }, { ip: ip("fd00::2"), port: 2 }, undefined).toString(
      "hex",
    ),
    `${SIGNATURE}21210024fd000000000000000000000000000001fd00000000000000000000000000000200010002`,
  );
});

test("families that differ are both written as IPv6", () => {
  const header = encodeProxyHeader(CLIENT, { ip: ip("fd00::2"), port: 2 }, undefined).toString("hex");
  assert.ok(header.includes("00000000000000000000ffff0a000001"));
});

for (const [name, destination, want] of [
  ["IPv4", { ip: ip("10.0.0.2"), port: 80 }, "PROXY TCP4 10.0.0.1 10.0.0.2 4660 80\r\n"],
  ["mixed families", { ip: ip("fd00::2"), port: 80 }, "PROXY TCP6 ::ffff:10.0.0.1 fd00::2 4660 80\r\n"],
] as const)
  test(`version 1, ${name}`, () => assert.equal(encodeProxyLine(CLIENT, destination).toString(), want));
