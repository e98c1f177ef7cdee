/** Which waypoint an object may use: across namespaces, for both address families (reference: l7-and-cli §1.5, §8.3). */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADDRESSED,
  callerNamed,
  condition,
  get,
  SERVICE_WAYPOINT,
  USE_WAYPOINT,
  untilHolds,
  untilL7,
  WORKLOAD,
} from "./l7-ambient.fixture.ts";
import { apply, kubectl, remove, skip } from "./l7-cluster.fixture.ts";
import { APPS, authorization, CONSUMER, echo, service } from "./l7-objects.fixture.ts";

const SHARED = "shared";

const gateway = (from: string): object => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: { name: SHARED, namespace: APPS, labels: { "istio.io/waypoint-for": "service" } },
  spec: {
    gatewayClassName: "istio-waypoint",
    listeners: [{ name: "mesh", port: 15008, protocol: "HBONE", allowedRoutes: { namespaces: { from } } }],
  },
});

const far = service("far", {
  namespace: CONSUMER,
  selector: { app: "far" },
  labels: { [USE_WAYPOINT]: SHARED, "istio.io/use-waypoint-namespace": APPS },
});

export function describeAttachment(): void {
  test("TestCrossNamespaceWaypoint", { skip }, async () => {
    await apply(
      gateway("Same"),
      far,
      ...echo("far", "v1", "node-1", { namespace: CONSUMER, labels: { app: "far" } }),
    );
    await kubectl("wait", "--for=condition=Programmed", `gateway/${SHARED}`, "-n", APPS, "--timeout=40s");
    const bound = async () => await condition("service", "far", "istio.io/WaypointBound", CONSUMER);
    await untilHolds(async () => {
      const denied = await bound();
      assert.equal(`${denied?.status} ${denied?.reason}`, "False AttachmentDenied");
      assert.match(denied?.message ?? "", /not permitted to attach to waypoint "apps\/shared"/);
    });
    await untilL7("client", get(`far.${CONSUMER}`), false);
    await apply(gateway("All"));
    await untilL7("client", get(`far.${CONSUMER}`), true);
    await untilL7("consumer", get(`far.${CONSUMER}`), true);
    await untilHolds(async () => assert.equal((await bound())?.status, "True"));
    await remove(far, gateway("All"));
  });

  test("a whole namespace, but for a service that refuses", { skip }, async () => {
    const refusing = service("refusing", { labels: { [USE_WAYPOINT]: "none" } });
    await apply(refusing, service("inheriting"));
    await kubectl("label", "namespace", APPS, `${USE_WAYPOINT}=${SERVICE_WAYPOINT}`);
    await untilL7("client", get(`inheriting.${APPS}`), true);
    await untilL7("client", get(`refusing.${APPS}`), false);
    await kubectl("label", "namespace", APPS, `${USE_WAYPOINT}-`);
    await untilL7("client", get(`inheriting.${APPS}`), false);
    await remove(refusing, service("inheriting"));
  });

  test("IPv6: a Service of both families, and a pod's address", { skip }, async () => {
    const both = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "both", namespace: APPS, labels: { [USE_WAYPOINT]: SERVICE_WAYPOINT } },
      spec: {
        selector: { app: "echo" },
        ipFamilyPolicy: "RequireDualStack",
        ports: [{ name: "http", port: 80, targetPort: 8080 }],
      },
    };
    await apply(both);
    const addresses = await kubectl(
      "get",
      "service",
      "both",
      "-n",
      APPS,
      "-o",
      "jsonpath={.spec.clusterIPs[*]}",
    );
    const [v4 = "", v6 = ""] = addresses.split(" ").sort();
    assert.match(v6, /:/);
    await untilL7("client", get(v4), true);
    await untilL7("client", get(`[${v6}]`), true);
    const policy = authorization("both", {
      action: "DENY",
      rules: [{ from: [{ source: { ipBlocks: ["::/0"] } }] }],
    });
    await apply(policy);
    await untilHolds(async () => assert.equal((await callerNamed("client").one(get(`[${v6}]`))).status, 403));
    assert.equal((await callerNamed("client").one(get(v4))).status, 200);
    const path = "jsonpath={.items[0].status.podIPs[1].ip}";
    const pod = await kubectl("get", "pods", "-n", APPS, "-l", `app=${WORKLOAD}`, "-o", path);
    await untilL7("client", get(`[${pod}]:8080`), true);
    await remove(policy, both);
    await untilL7("client", get(`${ADDRESSED}.${APPS}`), true);
  });
}
