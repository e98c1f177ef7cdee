import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { discovery } from "@meltemi/wire";
import fc from "fast-check";
import { ADDRESS_TYPE_URL } from "../types.ts";
import { type EncodedResource, encodeResource, encodeResponse, nodeKey } from "./encoded.ts";
import { createResourceLog, type ResourceLog } from "./resource-log.ts";
import { createDeltaSession, type DeltaSession } from "./session.ts";
import { MAX_NAME_LENGTH, MAX_WATCHED_NAMES } from "./watch.ts";

type Keys = { readonly aliases?: readonly string[]; readonly related?: readonly string[] };

function resource(name: string, content: string, keys: Keys = {}): EncodedResource {
  return encodeResource({ typeUrl: ADDRESS_TYPE_URL, name, value: Buffer.from(content), ...keys });
}

function request(
  fields: Omit<MessageInitShape<typeof discovery.DeltaDiscoveryRequestSchema>, "$typeName"> = {},
): discovery.DeltaDiscoveryRequest {
  const node = { id: "ztunnel~1.1.1.1~a.ns~ns.svc.cluster.local", metadata: { NODE_NAME: "n1" } };
  return create(discovery.DeltaDiscoveryRequestSchema, { node, typeUrl: ADDRESS_TYPE_URL, ...fields });
}

function open(fields: Parameters<typeof request>[0] = {}): DeltaSession {
  const session = createDeltaSession(new Set([ADDRESS_TYPE_URL]));
  assert.equal(session.receive(request(fields)).kind, "handled");
  return session;
}

const ON_DEMAND = { resourceNamesSubscribe: ["*"], resourceNamesUnsubscribe: ["*"] };

/** Names in the next response, removed ones with a minus; answered at once. Undefined when there is none. */
function exchange(session: DeltaSession, log: ResourceLog): readonly string[] | undefined {
  const next = session.next(log);
  if (next.kind !== "respond") return undefined;
  session.receive(request({ responseNonce: next.nonce }));
  return [...next.resources.map(({ name }) => name), ...next.removedNames.map((name) => `-${name}`)].sort();
}

function logOf(...resources: readonly EncodedResource[]): ResourceLog {
  const log = createResourceLog(ADDRESS_TYPE_URL);
  log.apply(resources, []);
  return log;
}

test("encoding: a response of encoded parts is the message of those parts", () => {
  const a = resource("a", "A", { aliases: ["net/10.0.0.1"] });
  const b = resource("b", "B");
  const parts = { typeUrl: ADDRESS_TYPE_URL, nonce: "n", resources: [a, b], removedNames: ["c"] };
  const withAliases = fromBinary(
    discovery.DeltaDiscoveryResponseSchema,
    encodeResponse({ ...parts, withAliases: true }),
  );
  assert.equal(withAliases.nonce, "n");
  assert.deepEqual(withAliases.removedResources, ["c"]);
  assert.deepEqual(
    withAliases.resources.map(({ name, aliases, resource: any }) => [
      name,
      aliases,
      any?.typeUrl,
      Buffer.from(any?.value ?? []).toString(),
    ]),
    [
      ["a", ["net/10.0.0.1"], ADDRESS_TYPE_URL, "A"],
      ["b", [], ADDRESS_TYPE_URL, "B"],
    ],
  );
  const plain = fromBinary(
    discovery.DeltaDiscoveryResponseSchema,
    encodeResponse({ ...parts, withAliases: false }),
  );
  assert.deepEqual(plain.resources[0]?.aliases, []);
});

test("encoding: the version is the content's", () => {
  assert.equal(resource("a", "A").version, resource("b", "A").version);
  assert.notEqual(resource("a", "A").version, resource("a", "B").version);
});

test("log: an equal resource is no change", () => {
  const log = logOf(resource("a", "A"));
  assert.equal(log.apply([resource("a", "A")], ["unknown"]), 0);
  assert.equal(log.apply([resource("a", "B")], []), 1);
});

test("log: keys are followed as they come and go", () => {
  const log = logOf(resource("a", "A", { aliases: ["x"] }));
  assert.deepEqual(
    log.matching("x").map(({ name }) => name),
    ["a"],
  );
  log.apply([resource("a", "B", { aliases: ["y"] })], []);
  assert.deepEqual(log.matching("x"), []);
  assert.deepEqual(
    log.matching("y").map(({ name }) => name),
    ["a"],
  );
  log.apply([], ["a"]);
  assert.deepEqual(log.matching("y"), []);
});

test("log: what is forgotten lies below the floor", () => {
  const log = createResourceLog(ADDRESS_TYPE_URL);
  for (let round = 0; round < 210_000; round++) log.apply([resource("a", String(round))], []);
  assert.ok(log.floor > 0);
  assert.equal(log.head, 210_000);
});

test("wildcard: everything first, then each change once", () => {
  const log = logOf(resource("a", "A"), resource("b", "B"));
  const session = open();
  assert.deepEqual(exchange(session, log), ["a", "b"]);
  assert.equal(exchange(session, log), undefined);
  log.apply([resource("a", "A2"), resource("c", "C")], ["b"]);
  assert.deepEqual(exchange(session, log), ["-b", "a", "c"]);
  assert.equal(exchange(session, log), undefined);
});

test("wildcard: the first response comes even when there is nothing", () => {
  assert.deepEqual(exchange(open(), logOf()), []);
});

test("wildcard: a client that comes back is told the difference only", () => {
  const a = resource("a", "A");
  const log = logOf(a, resource("b", "B2"), resource("new", "N"));
  const session = open({ initialResourceVersions: { a: a.version, b: "old", gone: "x" } });
  assert.deepEqual(exchange(session, log), ["-gone", "b", "new"]);
});

test("a client that has not answered gets nothing, and then the newest state in one response", () => {
  const log = logOf(resource("a", "A"));
  const session = open();
  const first = session.next(log);
  assert.equal(first.kind, "respond");
  log.apply([resource("a", "A2")], []);
  log.apply([resource("a", "A3"), resource("b", "B")], []);
  log.apply([], ["b"]);
  assert.equal(session.next(log).kind, "nothing");
  session.receive(request({ responseNonce: first.kind === "respond" ? first.nonce : "" }));
  const second = session.next(log);
  assert.equal(second.kind, "respond");
  if (second.kind !== "respond") return;
  assert.deepEqual(
    second.resources.map(({ version }) => version),
    [resource("a", "A3").version],
  );
});

test("a client that never answers is given up waiting for, when told so", () => {
  const log = logOf(resource("a", "A"));
  const session = open();
  const first = session.next(log);
  assert.ok(first.kind === "respond");
  log.apply([resource("a", "A2")], []);
  session.watch(ADDRESS_TYPE_URL)?.forgetAnswer("other");
  assert.equal(session.next(log).kind, "nothing");
  session.watch(ADDRESS_TYPE_URL)?.forgetAnswer(first.nonce);
  assert.deepEqual(exchange(session, log), ["a"]);
});

test("answers: ACK, NACK and stale are told apart and recorded", () => {
  const log = logOf(resource("a", "A"));
  const session = open();
  const first = session.next(log);
  assert.ok(first.kind === "respond");
  const stale = session.receive(request({ responseNonce: "99" }));
  assert.deepEqual(stale.kind === "handled" && stale.answer, { kind: "stale", nonce: "99" });
  assert.equal(session.watch(ADDRESS_TYPE_URL)?.awaitingAnswer, true);
  const nack = session.receive(
    request({ responseNonce: first.nonce, errorDetail: { code: 3, message: "a: bad" } }),
  );
  assert.deepEqual(nack.kind === "handled" && nack.answer, {
    kind: "nack",
    nonce: first.nonce,
    message: "a: bad",
  });
  assert.equal(session.watch(ADDRESS_TYPE_URL)?.status.nackMessage, "a: bad");
  log.apply([resource("a", "A2")], []);
  assert.deepEqual(exchange(session, log), ["a"]);
  assert.equal(session.watch(ADDRESS_TYPE_URL)?.status.nackMessage, undefined);
});

test("on demand: nothing but names, aliases, members and the node's own", () => {
  const log = logOf(
    resource("pod", "P", { aliases: ["/10.0.0.1"], related: ["ns/svc"] }),
    resource("ns/svc", "S", { aliases: ["/10.96.0.1"] }),
    resource("local", "L", { related: [nodeKey("n1")] }),
    resource("else", "E"),
  );
  const session = open(ON_DEMAND);
  assert.deepEqual(exchange(session, log), ["local"]);
  session.receive(request({ resourceNamesSubscribe: ["/10.0.0.1"] }));
  assert.deepEqual(exchange(session, log), ["pod"]);
  session.receive(request({ resourceNamesSubscribe: ["ns/svc"] }));
  assert.deepEqual(exchange(session, log), ["ns/svc", "pod"]);
  session.receive(request({ resourceNamesSubscribe: ["/10.9.9.9"] }));
  assert.deepEqual(exchange(session, log), ["-/10.9.9.9"]);
  log.apply([resource("late", "X", { aliases: ["/10.9.9.9"] }), resource("else", "E2")], []);
  assert.deepEqual(exchange(session, log), ["late"]);
});

test("on demand: what is no longer what was asked for is withdrawn", () => {
  const log = logOf(resource("pod", "P", { related: ["ns/svc"] }));
  const session = open({ ...ON_DEMAND, resourceNamesSubscribe: ["*", "ns/svc"] });
  assert.deepEqual(exchange(session, log), ["-ns/svc", "pod"], "there is no such service");
  log.apply([resource("pod", "P2")], []);
  assert.deepEqual(exchange(session, log), ["-pod"]);
  log.apply([resource("pod", "P3")], []);
  assert.equal(exchange(session, log), undefined);
});

test("on demand: an unsubscribed name is silent, and answered again when asked for again", () => {
  const log = logOf(resource("a", "A"));
  const session = open({ ...ON_DEMAND, resourceNamesSubscribe: ["*", "a"] });
  assert.deepEqual(exchange(session, log), ["a"]);
  session.receive(request({ resourceNamesUnsubscribe: ["a"] }));
  log.apply([resource("a", "A2")], []);
  assert.equal(exchange(session, log), undefined);
  session.receive(request({ resourceNamesSubscribe: ["a"] }));
  assert.deepEqual(exchange(session, log), ["a"]);
});

test("on demand: a client that comes back keeps its names and hears of what vanished", () => {
  const a = resource("a", "A");
  const log = logOf(a, resource("b", "B"));
  const session = open({
    ...ON_DEMAND,
    initialResourceVersions: { a: a.version, b: "old", gone: "x", "/1": "" },
  });
  assert.deepEqual(exchange(session, log), ["-/1", "-gone", "b"]);
  log.apply([resource("a", "A2")], []);
  assert.deepEqual(exchange(session, log), ["a"]);
});

test("on demand: a name that still waits after a reconnect is answered, also by what the client holds for another name", () => {
  const pod = resource("uid", "P", { aliases: ["/1", "/2"], related: ["ns/svc"] });
  const session = open({
    ...ON_DEMAND,
    resourceNamesSubscribe: ["*", "ns/svc", "/1", "/2"],
    initialResourceVersions: { uid: pod.version, "/2": "" },
  });
  const log = logOf(pod, resource("ns/svc", "S"));
  const versions = { "ns/svc": log.get("ns/svc")?.version ?? "" };
  assert.deepEqual(exchange(session, log), ["ns/svc", "uid"]);
  const known = open({
    ...ON_DEMAND,
    resourceNamesSubscribe: ["*", "ns/svc", "/1"],
    initialResourceVersions: { uid: pod.version, ...versions },
  });
  assert.deepEqual(exchange(known, log), []);
  const asksAtOnce = open({ ...ON_DEMAND, initialResourceVersions: { uid: pod.version } });
  asksAtOnce.receive(request({ resourceNamesSubscribe: ["/1"] }));
  assert.deepEqual(exchange(asksAtOnce, logOf(pod)), ["uid"], "asked before the first response");
});

test("on demand: pods say that they back a service that is not there: it is answered as removed, with them", () => {
  const log = logOf(resource("uid", "P", { related: ["ns/svc"] }));
  const session = open(ON_DEMAND);
  exchange(session, log);
  session.receive(request({ resourceNamesSubscribe: ["ns/svc"] }));
  assert.deepEqual(exchange(session, log), ["-ns/svc", "uid"]);
});

test("on demand: an address is answered with the service whose network it is in, under the address", () => {
  const service = resource("ns/net", "S", { aliases: ["n/10.1.0.0/16", "n/10.96.0.1"] });
  const log = logOf(service, resource("uid", "P", { aliases: ["n/10.1.0.7"] }));
  const session = open(ON_DEMAND);
  exchange(session, log);
  session.receive(
    request({ resourceNamesSubscribe: ["n/10.1.2.3", "n/10.1.0.7", "n/10.2.0.1", "other/10.1.2.3", "n/x"] }),
  );
  const next = session.next(log);
  assert.ok(next.kind === "respond");
  const named = next.resources.map(({ name, aliases }) => [name, aliases]);
  assert.deepEqual(
    new Map(named as [string, string[]][]),
    new Map([
      ["ns/net", ["n/10.1.0.0/16", "n/10.96.0.1", "n/10.1.2.3", "n/10.1.0.7"]],
      ["uid", ["n/10.1.0.7"]],
    ]),
  );
  assert.deepEqual([...next.removedNames].sort(), ["n/10.2.0.1", "n/x", "other/10.1.2.3"]);
  session.receive(request({ responseNonce: next.nonce }));
  log.apply([resource("ns/wide", "W", { aliases: ["n/10.2.0.0/24"] })], []);
  assert.deepEqual(exchange(session, log), ["ns/wide"], "what was nobody's is in a network now");
  log.apply([], ["ns/net"]);
  assert.deepEqual(exchange(session, log), ["-ns/net"]);
  session.receive(request({ resourceNamesSubscribe: ["n/10.1.2.4"] }));
  assert.deepEqual(exchange(session, log), ["-n/10.1.2.4"], "its network went with it");
});

test("a watch that the log has outrun is told to start anew", () => {
  const log = createResourceLog(ADDRESS_TYPE_URL);
  const session = open();
  assert.deepEqual(exchange(session, log), []);
  for (let round = 0; round < 210_000; round++) log.apply([resource("a", String(round))], []);
  assert.equal(session.next(log).kind, "behind");
});

const refusals = [
  { name: "no node", fields: { node: undefined }, code: "INVALID_ARGUMENT" },
  { name: "a node without id", fields: { node: { id: "" } }, code: "INVALID_ARGUMENT" },
  {
    name: "a name too long",
    fields: { resourceNamesSubscribe: ["n".repeat(MAX_NAME_LENGTH + 1)] },
    code: "INVALID_ARGUMENT",
  },
  {
    name: "too many names",
    fields: { resourceNamesSubscribe: Array.from({ length: MAX_WATCHED_NAMES + 1 }, (_, at) => String(at)) },
    code: "RESOURCE_EXHAUSTED",
  },
] as const;

for (const { name, fields, code } of refusals) {
  test(`refused: ${name}`, () => {
    const session = createDeltaSession(new Set([ADDRESS_TYPE_URL]));
    const message = request({
      resourceNamesSubscribe: [...("resourceNamesSubscribe" in fields ? fields.resourceNamesSubscribe : [])],
    });
    if ("node" in fields) {
      if (fields.node === undefined) delete message.node;
      else message.node = create(discovery.NodeSchema, fields.node);
    }
    const received = session.receive(message);
    assert.equal(received.kind === "refused" && received.code, code);
  });
}

test("a type that is not served leaves nothing behind", () => {
  const session = createDeltaSession(new Set([ADDRESS_TYPE_URL]));
  assert.deepEqual(session.receive(request({ typeUrl: "x" })), { kind: "ignored", typeUrl: "x" });
  assert.equal(session.watch("x"), undefined);
});

test("whatever happens in between, a wildcard client ends up with exactly what the log holds", () => {
  const edit = fc.record({
    name: fc.constantFrom("a", "b", "c", "d"),
    content: fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined }),
    answer: fc.boolean(),
    reconnect: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 30 }), (edits) => {
      const log = createResourceLog(ADDRESS_TYPE_URL);
      const held = new Map<string, string>();
      let session = open();
      let owed: string | undefined;
      const pull = (): void => {
        const next = session.next(log);
        if (next.kind !== "respond") return;
        for (const { name, version } of next.resources) held.set(name, version);
        for (const name of next.removedNames) held.delete(name);
        owed = next.nonce;
      };
      const answer = (): void => {
        if (owed !== undefined) session.receive(request({ responseNonce: owed }));
        owed = undefined;
      };
      for (const { name, content, answer: answers, reconnect } of edits) {
        if (content === undefined) log.apply([], [name]);
        else log.apply([resource(name, content)], []);
        if (reconnect) {
          session = open({ initialResourceVersions: Object.fromEntries(held) });
          owed = undefined;
        }
        pull();
        if (answers) answer();
      }
      answer();
      pull();
      const wanted = new Map([...log.resources()].map(({ name, version }) => [name, version]));
      assert.deepEqual(new Map([...held].sort()), new Map([...wanted].sort()));
    }),
  );
});

test("removals may be held: told later, and not at all when the name is there again", () => {
  const log = logOf(resource("a", "A"), resource("b", "B"), resource("c", "C"));
  const session = open();
  exchange(session, log);
  log.apply([resource("c", "C2")], ["a", "b"]);
  const next = session.next(log, true);
  assert.ok(next.kind === "respond");
  assert.deepEqual([next.resources.map(({ name }) => name), next.removedNames], [["c"], []]);
  session.receive(request({ responseNonce: next.nonce }));
  assert.equal(session.watch(ADDRESS_TYPE_URL)?.owesRemovals, true);
  assert.equal(session.next(log, true).kind, "nothing");
  log.apply([resource("b", "B2")], []);
  assert.deepEqual(exchange(session, log), ["-a", "b"]);
  assert.equal(session.watch(ADDRESS_TYPE_URL)?.owesRemovals, false);
  assert.equal(exchange(session, log), undefined);
});
