/**
 * HBONE as a client by way of others (reference: protocol §1.4, §1.10): what our ztunnel says to a foreign waypoint, and, tunnel within
 * tunnel, to the gateway of another network and to the workload behind it.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { freePorts } from "../integration/ztunnel.fixture.ts";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import { echo, type ForeignHboneServer, startForeignHboneServer } from "./foreign-hbone-server.fixture.ts";
import {
  type ForeignIstiod,
  serviceResource,
  startForeignIstiod,
  workloadResource,
} from "./foreign-istiod.fixture.ts";
import { FOREIGN_ADDRESS, identityOf, type OurZtunnel, proxyPorts, startScene } from "./ztunnel.fixture.ts";

const deadline = { timeout: 20_000 };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;
let ours: OurZtunnel;
let foreign: ForeignHboneServer;

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
  const ports = await proxyPorts();
  const peer = {
    destination: { case: "address", value: { network: "", address: Uint8Array.of(127, 0, 0, 3) } },
    hboneMtlsPort: ports.inboundHbone,
  } as const;
  istiod.push(
    serviceResource({
      name: "through",
      namespace: "default",
      hostname: "through.default.svc.cluster.local",
      addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 44) }],
      ports: [{ servicePort: 80, targetPort: 8080 }],
      waypoint: peer,
    }),
    serviceResource({
      name: "afar",
      namespace: "default",
      hostname: "afar.default.svc.cluster.local",
      addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 55) }],
      ports: [{ servicePort: 80, targetPort: 8080 }],
      subjectAltNames: [identityOf("remote")],
    }),
    // As istiod's split horizon writes it: no address, a gateway.
    workloadResource({
      uid: "net-2/SplitHorizonWorkload/istio-system/eastwest/127.0.0.3/default/afar.default.svc.cluster.local",
      name: "afar",
      namespace: "default",
      network: "net-2",
      tunnelProtocol: 1,
      networkGateway: peer,
      serviceAccount: "remote",
      services: {
        "default/afar.default.svc.cluster.local": { ports: [{ servicePort: 80, targetPort: 8080 }] },
      },
    }),
  );
  ours = await startScene(authority, istiod, { ports });
  const credentials = authority.issue(`URI:${identityOf("server")}`);
  foreign = await startForeignHboneServer(ports.inboundHbone, credentials);
});
after(async () => {
  await ours?.[Symbol.asyncDispose]();
  await foreign?.[Symbol.asyncDispose]();
  await istiod?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});

async function said(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [chunk] = (await once(socket, "data")) as [Buffer];
  return String(chunk);
}

test(
  "§1.4 to a service's waypoint: its authority is the address that the application called",
  deadline,
  async () => {
    foreign.serve = echo;
    const socket = await ours.connect("10.96.0.44:80");
    assert.equal(await said(socket, "x"), "x");
    const { headers } = foreign.tunnels.at(-1) ?? assert.fail("no tunnel");
    assert.equal(headers[":authority"], "10.96.0.44:80");
    assert.match(String(headers["forwarded"]), /;host=through\.default\.svc\.cluster\.local$/);
    assert.equal(headers["x-forwarded-network"], undefined);
    assert.equal(headers["x-istio-source"], undefined, "ztunnel never says it");
    socket.destroy();
  },
);

/** A workload of the other network, of the service account; the gateway ends the outer tunnel and passes on what is inside. */
async function remote(account: string): Promise<ForeignHboneServer> {
  const [port = 0] = await freePorts(1);
  foreign.serve = ({ stream }) => {
    const onward = connect(port, FOREIGN_ADDRESS);
    onward.on("error", () => stream.close()).on("close", () => stream.end());
    stream.respond({ ":status": 200 });
    stream.pipe(onward).pipe(stream);
  };
  const server = await startForeignHboneServer(port, authority.issue(`URI:${identityOf(account)}`));
  server.serve = ({ stream }) => {
    stream.respond({ ":status": 200, baggage: "k8s.namespace.name=far,k8s.deployment.name=remote" });
    stream.pipe(stream);
  };
  return server;
}

test(
  "§1.10 to another network: host and port in both tunnels, the network's name in the inner one alone",
  deadline,
  async () => {
    await using server = await remote("remote");
    const socket = await ours.connect("10.96.0.55:80");
    assert.equal(await said(socket, "far"), "far");
    const outer = foreign.tunnels.at(-1)?.headers ?? {};
    assert.equal(outer[":authority"], "afar.default.svc.cluster.local:80");
    assert.equal(outer["x-forwarded-network"], undefined);
    const headers = server.tunnels[0]?.headers;
    assert.equal(headers?.[":authority"], "afar.default.svc.cluster.local:80");
    assert.equal(headers?.["x-forwarded-network"], "");
    assert.equal(headers?.["baggage"], outer["baggage"]);
    assert.match(String(headers?.["baggage"]), /k8s\.deployment\.name=shop-deployment/);
    socket.destroy();
    // Who answered is known by its certificate and its own words.
    await eventually(() => /dst\.namespace="far"/.test(ours.lines.join("")));
  },
);

test(
  "§1.10 the gateway's own certificate does not do inside, nor does anybody's who is not of the service",
  deadline,
  async () => {
    for (const account of ["server", "intruder"]) {
      await using server = await remote(account);
      const socket = await ours.connect("10.96.0.55:80");
      socket.resume().on("end", () => socket.end());
      await new Promise((resolve) => socket.once("close", resolve));
      assert.equal(server.tunnels.length, 0);
    }
  },
);
