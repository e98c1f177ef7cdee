/**
 * Delta ADS as a server for clients on demand (reference: protocol §3.1, §3.8): our control plane, over a real
 * API server, against a client that behaves as Istio's ztunnel.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { ControlPlaneScene, EMPTY_NODE, podUid } from "./control-plane-scene.fixture.ts";
import { namesOf, versionsOf } from "./foreign-ads-client.fixture.ts";
import { ADDRESS } from "./foreign-istiod.fixture.ts";

const deadline = { timeout: 20_000 };

let scene: ControlPlaneScene;

before(async () => {
  scene = await ControlPlaneScene.start();
});
after(() => scene?.[Symbol.asyncDispose]());

test(
  "§3.8 on demand: nothing unasked; a pod's address is answered with the pod and its aliases",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const name = await scene.pod(namespace, "a", "10.2.0.1");
    await scene.pod(namespace, "b", "10.2.0.2");
    const client = await scene.onDemand();
    using _ = client;
    const response = await scene.ask(client, "/10.2.0.1");
    assert.deepEqual(namesOf(response), [name]);
    assert.deepEqual(response.resources[0]?.aliases, ["/10.2.0.1"]);
    assert.deepEqual(response.removedResources, [], "an alias that was found is not gone");
    await scene.remove(namespace, "b");
    await scene.remove(namespace, "a");
    const later = await client.next(ADDRESS);
    assert.deepEqual([namesOf(later), later.removedResources], [[], [name]], "only what it asked for");
  },
);

test(
  "§3.8 on demand: a VIP brings the service and its pods, now and later; a uid brings the workload",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const key = await scene.service(namespace, "web", "10.96.2.1");
    const name = await scene.pod(namespace, "web-1", "10.2.1.1", { app: "web" });
    const other = await scene.pod(namespace, "lone", "10.2.1.2");
    const client = await scene.onDemand();
    using _ = client;
    const response = await scene.ask(client, "/10.96.2.1");
    const seen = new Set(namesOf(response));
    assert.ok(seen.has(key));
    assert.deepEqual(response.resources.find((one) => one.name === key)?.aliases, ["/10.96.2.1"]);
    if (!seen.has(name)) {
      // ztunnel then asks by the service's own name.
      for (const one of namesOf(await scene.ask(client, key))) seen.add(one);
    }
    assert.ok(seen.has(name), [...seen].join());
    assert.deepEqual(namesOf(await scene.ask(client, other)), [other]);
    const joined = await scene.pod(namespace, "web-2", "10.2.1.3", { app: "web" });
    await eventually(async () => {
      const push = await client.next(ADDRESS);
      client.ack(push);
      return namesOf(push).includes(joined);
    });
  },
);

test(
  "§3.8 on demand: what does not exist is answered at once, as removed; when it comes it is told",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const client = await scene.onDemand();
    using _ = client;
    const names = ["/10.2.2.1", "nobody/nothing.svc", podUid(namespace, "late")];
    const response = await scene.ask(client, ...names);
    assert.deepEqual([namesOf(response), response.removedResources.toSorted()], [[], names.toSorted()]);
    await scene.pod(namespace, "late", "10.2.2.1");
    assert.deepEqual(namesOf(await client.next(ADDRESS)), [podUid(namespace, "late")]);
  },
);

test(
  "§3.8 on demand: asked again, answered again, changed or not; a name that is left is no longer told",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const name = await scene.pod(namespace, "a", "10.2.3.1");
    const client = await scene.onDemand();
    using _ = client;
    assert.deepEqual(namesOf(await scene.ask(client, name)), [name]);
    assert.deepEqual(namesOf(await scene.ask(client, name)), [name]);
    client.send({ typeUrl: ADDRESS, resourceNamesUnsubscribe: [name] });
    const other = await scene.pod(namespace, "b", "10.2.3.2");
    await scene.remove(namespace, "a");
    await eventually(() => scene.plane.plane.resources.addresses.get(name) === undefined);
    const response = await scene.ask(client, other);
    assert.deepEqual([namesOf(response), response.removedResources], [[other], []]);
  },
);

test(
  "§3.1 on demand: a reconnect, as Istio's ztunnel writes it: names with versions, those that wait with none",
  deadline,
  async () => {
    const namespace = await scene.newNamespace();
    const held = await scene.pod(namespace, "held", "10.2.4.1");
    const waits = await scene.pod(namespace, "waits", "10.2.4.2");
    const first = await scene.onDemand();
    const versions = versionsOf(await scene.ask(first, held));
    first[Symbol.dispose]();
    const client = scene.open();
    using _ = client;
    client.send({
      typeUrl: ADDRESS,
      node: EMPTY_NODE,
      resourceNamesSubscribe: ["*"],
      resourceNamesUnsubscribe: ["*"],
      initialResourceVersions: { ...versions, "/10.2.4.2": "", "/10.2.4.99": "", "was/gone": "x" },
    });
    const response = await client.next(ADDRESS);
    client.ack(response);
    assert.deepEqual(namesOf(response), [waits]);
    assert.deepEqual(response.removedResources.toSorted(), ["/10.2.4.99", "was/gone"].toSorted());
    await scene.remove(namespace, "held");
    assert.deepEqual((await client.next(ADDRESS)).removedResources, [held], "what it held it still hears of");
  },
);
