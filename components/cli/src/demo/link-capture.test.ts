import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCapture } from "./crossing.ts";
import { captureSpelling, ipv6Text } from "./packet.ts";
import { isTls } from "./tls-stream.ts";

const PODS: ReadonlySet<string> = new Set(["10.244.1.4", "10.244.2.6"]);
const POD_A = [10, 244, 1, 4];
const POD_B = [10, 244, 2, 6];
const DNS = [10, 240, 0, 1];

function record(frame: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(frame.length, 8);
  header.writeUInt32LE(frame.length, 12);
  return Buffer.concat([header, frame]);
}

interface Sent {
  readonly from: readonly number[];
  readonly to: readonly number[];
  readonly port: number;
  readonly payload?: Buffer;
  readonly protocol?: number;
  readonly sequence?: number;
  readonly flags?: number;
}

function frameOf({
  from,
  to,
  port,
  payload = Buffer.alloc(0),
  protocol = 6,
  sequence = 1,
  flags = 0x10,
}: Sent): Buffer {
  const headers = Buffer.alloc(54);
  headers.writeUInt16BE(0x0800, 12);
  headers[14] = 0x45;
  headers.writeUInt16BE(40 + payload.length, 16);
  headers[23] = protocol;
  headers.set(from, 26);
  headers.set(to, 30);
  headers.writeUInt16BE(40_000, 34);
  headers.writeUInt16BE(port, 36);
  headers.writeUInt32BE(sequence, 38);
  headers[46] = 0x50;
  headers[47] = flags;
  return Buffer.concat([headers, payload]);
}

function crossingOf(...sent: readonly Sent[]) {
  return readCapture(Buffer.concat([Buffer.alloc(24), ...sent.map((each) => record(frameOf(each)))]), PODS);
}

function tlsRecord(text: string, type = 23): Buffer {
  const header = Buffer.from([type, 3, 3, 0, 0]);
  header.writeUInt16BE(text.length, 3);
  return Buffer.concat([header, Buffer.from(text)]);
}

test("packets between pods are counted by protocol and server port, TCP and UDP and the rest", () => {
  const crossing = crossingOf(
    { from: POD_A, to: POD_B, port: 15_008, flags: 0x02 },
    { from: POD_A, to: POD_B, port: 8080, payload: Buffer.from("secret") },
    { from: POD_A, to: POD_B, port: 9000, protocol: 17 },
    { from: POD_A, to: POD_B, port: 0, protocol: 1 },
    { from: POD_A, to: DNS, port: 53, protocol: 17 },
    { from: POD_A, to: DNS, port: 6443 },
  );
  assert.deepEqual(Object.fromEntries(crossing.packets), {
    "tcp/15008": 1,
    "tcp/8080": 1,
    "udp/9000": 1,
    "ip/1": 1,
  });
  assert.deepEqual(crossing.elsewhere, ["10.244.1.4 → 10.240.0.1 tcp/6443"]);
  assert.equal(crossing.tunnelsOpened, 1);
  assert.ok(crossing.contains("secret"));
  assert.ok(!crossing.contains("other"));
});

test("a tunnel is TLS when all of its bytes are records", () => {
  const through = (...payloads: readonly Buffer[]) => {
    let sequence = 0xffff_fff0;
    return crossingOf(
      ...payloads.map((payload) => {
        const sent = { from: POD_A, to: POD_B, port: 15_008, payload, sequence };
        sequence = (sequence + payload.length) >>> 0;
        return sent;
      }),
    ).tls;
  };
  const whole = tlsRecord("hello, this is a record");
  assert.ok(through(whole, tlsRecord("x", 22)));
  assert.ok(through(whole.subarray(0, 9), whole.subarray(9)), "a record in two packets");
  assert.ok(!through(Buffer.from("GET / HTTP/1.1\r\n")));
  assert.ok(!through(whole, Buffer.from("PRI * HTTP/2.0\r\n")));
  assert.ok(!crossingOf({ from: POD_A, to: POD_B, port: 15_008 }).tls, "nothing was sent");
});

test("what was sent twice counts once, and a hole is no proof", () => {
  const payload = tlsRecord("abc");
  assert.ok(
    isTls([
      { sequence: 8, payload: tlsRecord("d") },
      { sequence: 0, payload },
      { sequence: 0, payload },
    ]),
  );
  assert.ok(
    !isTls([
      { sequence: 0, payload },
      { sequence: 9, payload },
    ]),
  );
});

test("an address of IPv6 has one spelling", () => {
  assert.equal(ipv6Text(Buffer.from("fd00001002440001000000000000000a", "hex")), "fd00:10:244:1:0:0:0:a");
  assert.equal(captureSpelling("fd00:10:244:1::a"), "fd00:10:244:1:0:0:0:a");
  assert.equal(captureSpelling("10.244.1.4"), "10.244.1.4");
});

test("any bytes are read without a fault", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void readCapture(Buffer.from(bytes), PODS)),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(0x0800, 0x86dd), (bytes, etherType) => {
      const frame = Buffer.concat([Buffer.alloc(14), Buffer.from(bytes)]);
      frame.writeUInt16BE(etherType, 12);
      readCapture(Buffer.concat([Buffer.alloc(24), record(frame)]), PODS);
    }),
  );
});
