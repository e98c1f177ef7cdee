/** The local cluster's API server under the machine's real kubectl, over TLS on loopback. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { startTestCluster } from "./api-server.fixture.ts";

const cluster = await startTestCluster();
const { kubectl, feed, refused, run, folder, kubeconfig } = cluster;

before(async () => {
  await kubectl("create", "serviceaccount", "default");
});

after(() => cluster.close());

const DEPLOYMENT = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, image: nginx:1, ports: [{containerPort: 80}], env: [{name: A, value: "1"}, {name: B, value: "2"}]}
`;

const POD = `
apiVersion: v1
kind: Pod
metadata: {name: lone, labels: {app: lone}}
spec: {nodeName: node-a, containers: [{name: main, image: nginx:1}, {name: side, image: nginx:1}]}
`;

const DEFINITION = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: boats.harbour.example}
spec:
  group: harbour.example
  scope: Namespaced
  names: {plural: boats, kind: Boat, shortNames: [bt], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.sails, statusReplicasPath: .status.sails}}
    additionalPrinterColumns:
    - {name: Sails, type: integer, jsonPath: .spec.sails}
    - {name: Ready, type: string, jsonPath: '.status.conditions[?(@.type=="Ready")].status'}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          spec:
            type: object
            required: [sails]
            properties:
              sails: {type: integer, minimum: 1, maximum: 10}
              colour: {type: string, enum: [red, blue], default: red}
              name: {type: string, pattern: '^[a-z]+$'}
              crew:
                type: array
                items: {type: object, required: [name], properties: {name: {type: string}, role: {type: string}}}
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
            x-kubernetes-validations:
            - {rule: self.sails != 5, message: five sails bring bad luck}
            - {rule: self.sails >= oldSelf.sails, message: sails are only ever added}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
  - name: v1beta1
    served: true
    storage: false
    deprecated: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`;

describe("the server itself", () => {
  test("version, api-resources, api-versions, whoami, can-i", async () => {
    assert.match(await kubectl("version"), /Server Version: v1\.32/);
    assert.match(await kubectl("api-resources"), /deployments +deploy +apps\/v1 +true +Deployment/);
    assert.match(await kubectl("api-versions"), /discovery\.k8s\.io\/v1/);
    assert.match(await kubectl("auth", "whoami"), /kubernetes-admin/);
    assert.equal(await kubectl("auth", "can-i", "create", "pods"), "yes");
  });

  test("explain reads built-in types and nested fields", async () => {
    assert.match(
      await kubectl("explain", "deployment.spec.strategy"),
      /rollingUpdate\s+<RollingUpdateDeployment>/,
    );
  });

  test("a wrong token is refused with 401", async () => {
    await refused(/Unauthorized|must be logged in/i, ["--token=wrong", "get", "pods"]);
  });
});

describe("objects", () => {
  test("create, get in every form, describe, delete of a config map", async () => {
    await kubectl("create", "configmap", "colours", "--from-literal=sky=blue");
    assert.match(await kubectl("get", "configmap", "colours"), /NAME +DATA +AGE\ncolours +1 +/);
    assert.match(await kubectl("get", "cm", "colours", "-o", "yaml"), /sky: blue/);
    assert.equal(await kubectl("get", "cm", "colours", "-o", "jsonpath={.data.sky}"), "blue");
    assert.match(
      await kubectl("get", "cm", "-l", "a!=b", "--field-selector=metadata.name=colours", "-o", "name"),
      /configmap\/colours/,
    );
    assert.match(await kubectl("describe", "cm", "colours"), /sky:\n----\nblue/);
    await refused(/configmaps "colours" already exists/, ["create", "configmap", "colours"]);
    await kubectl("delete", "cm", "colours");
    await refused(/configmaps "colours" not found/, ["get", "cm", "colours"]);
  });

  test("secrets: stringData becomes data", async () => {
    await feed("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: b}}", "apply");
    assert.equal(await kubectl("get", "secret", "s", "-o", "jsonpath={.data.a}{.type}"), "Yg==Opaque");
  });

  test("services: addresses are given out, kept and checked", async () => {
    const service = (extra: string): string =>
      `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {${extra} selector: {app: web}, ports: [{port: 80}]}}`;
    await feed(service(""), "create");
    const address = await kubectl("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}");
    assert.match(address, /^10\.96\./);
    await feed(service(""), "replace");
    assert.equal(await kubectl("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}"), address);
    await feed(service("clusterIP: None,").replace("name: web", "name: headless"), "create");
    assert.match(await kubectl("get", "svc", "headless"), /ClusterIP +None +<none> +80\/TCP/);
    await refused(
      /already allocated/,
      ["create", "-f", "-"],
      service(`clusterIP: ${address},`).replace("name: web", "name: other"),
    );
    assert.equal(await kubectl("get", "svc", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"), "10.96.0.1");
  });

  test("refusals name the field", async () => {
    await refused(
      /spec\.template\.spec\.containers\[0\]\.image: Required value/,
      ["create", "-f", "-"],
      DEPLOYMENT.replace("image: nginx:1, ", ""),
    );
    await refused(
      /unknown field "spec\.replica"/,
      ["create", "-f", "-"],
      DEPLOYMENT.replace("replicas", "replica"),
    );
    await refused(
      /selector` does not match template `labels`/,
      ["create", "-f", "-"],
      DEPLOYMENT.replace("matchLabels: {app: web}", "matchLabels: {app: x}"),
    );
    await refused(/Invalid value: "No_Name"/, ["create", "configmap", "No_Name"]);
    await refused(/namespaces "nowhere" not found/, ["-n", "nowhere", "create", "configmap", "x"]);
  });
});

describe("changes", () => {
  test("client-side apply merges lists by key and forgets what is no longer said", async () => {
    assert.match(await feed(DEPLOYMENT, "apply"), /created/);
    assert.match(await feed(DEPLOYMENT, "apply"), /unchanged/);
    assert.match(await feed(DEPLOYMENT.replace('{name: A, value: "1"}, ', ""), "apply"), /configured/);
    const env = "jsonpath={.spec.template.spec.containers[0].env[*].name}";
    assert.equal(await kubectl("get", "deploy", "web", "-o", env), "B");
    assert.equal(await kubectl("get", "deploy", "web", "-o", "jsonpath={.metadata.generation}"), "2");
  });

  test("label, annotate, set image, scale, patch in three ways", async () => {
    await kubectl("label", "deploy", "web", "tier=front");
    await refused(/already has a value/, ["label", "deploy", "web", "tier=back"]);
    await kubectl("label", "deploy", "web", "tier-");
    await kubectl("annotate", "deploy", "web", "note=hello");
    await kubectl("set", "image", "deploy/web", "main=nginx:2");
    await kubectl("scale", "deploy", "web", "--replicas=3");
    await kubectl(
      "patch",
      "deploy",
      "web",
      "--type=merge",
      "-p",
      '{"metadata":{"annotations":{"note":null}}}',
    );
    await kubectl(
      "patch",
      "deploy",
      "web",
      "--type=json",
      "-p",
      '[{"op":"replace","path":"/spec/replicas","value":4}]',
    );
    await kubectl(
      "patch",
      "deploy",
      "web",
      "-p",
      '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"nginx:3"}]}}}}',
    );
    const shown = await kubectl(
      "get",
      "deploy",
      "web",
      "-o",
      "jsonpath={.metadata.annotations.note}{.spec.replicas}{.spec.template.spec.containers[*].image}{.spec.template.spec.containers[0].env[0].name}",
    );
    assert.equal(shown, "4nginx:3B");
    await refused(/there is nothing at|nonexistent/, [
      "patch",
      "deploy",
      "web",
      "--type=json",
      "-p",
      '[{"op":"remove","path":"/spec/nothing"}]',
    ]);
  });

  test("edit", async () => {
    const editor = join(folder, "editor.sh");
    writeFileSync(editor, "#!/bin/sh\nsed -i 's/replicas: 4/replicas: 6/' \"$1\"\n", { mode: 0o755 });
    const env = { ...process.env, KUBECONFIG: kubeconfig, KUBE_EDITOR: editor };
    await new Promise<void>((resolve, reject) =>
      execFile("kubectl", ["edit", "deploy", "web"], { env }, (error, _stdout, stderr) =>
        error ? reject(new Error(stderr)) : resolve(),
      ),
    );
    assert.equal(await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}"), "6");
  });

  test("server-side apply: ownership, conflict, force, and removal of what is no longer applied", async () => {
    const map = (data: string): string =>
      `{apiVersion: v1, kind: ConfigMap, metadata: {name: owned}, data: {${data}}}`;
    await feed(map("a: one, b: two"), "apply", "--server-side", "--field-manager=first");
    await feed(map("c: three"), "apply", "--server-side", "--field-manager=second");
    await refused(
      /conflict with "first": \.data\.a/,
      ["apply", "--server-side", "--field-manager=second", "-f", "-"],
      map("a: other"),
    );
    await feed(map("a: other"), "apply", "--server-side", "--field-manager=second", "--force-conflicts");
    await feed(map("b: two"), "apply", "--server-side", "--field-manager=first");
    assert.equal(await kubectl("get", "cm", "owned", "-o", "jsonpath={.data}"), '{"a":"other","b":"two"}');
    const managers = await kubectl(
      "get",
      "cm",
      "owned",
      "--show-managed-fields",
      "-o",
      "jsonpath={.metadata.managedFields[*].manager}",
    );
    assert.deepEqual(managers.split(" ").sort(), ["first", "second"]);
  });

  test("a list is applied item by item, and each item is validated", async () => {
    const map = (name: string, field: string): string =>
      `{apiVersion: v1, kind: ConfigMap, metadata: {name: ${name}}, ${field}: {a: b}}`;
    const list = (...items: readonly string[]): string =>
      `{apiVersion: v1, kind: List, items: [${items.join(", ")}]}`;
    for (const options of [[], ["--server-side"]]) {
      const said = await feed(list(map("one", "data"), map("two", "data")), "apply", ...options);
      assert.match(said, /configmap\/one .*\nconfigmap\/two /);
    }
    await refused(
      /unknown field "dataa"/,
      ["apply", "-f", "-"],
      list(map("one", "data"), map("two", "dataa")),
    );
    await kubectl("delete", "configmap", "one", "two");
  });

  test("dry run changes nothing", async () => {
    await kubectl("delete", "deploy", "web", "--dry-run=server");
    await feed(DEPLOYMENT.replace("name: web", "name: dry"), "apply", "--dry-run=server");
    await refused(/not found/, ["get", "deploy", "dry"]);
    await kubectl("get", "deploy", "web");
  });
});

describe("waiting", () => {
  test("get -w, wait and rollout status see changes as they come", async () => {
    await feed(DEPLOYMENT.replaceAll("web", "slow"), "create");
    const watching = run([
      "get",
      "deploy",
      "--field-selector=metadata.name=slow",
      "-w",
      "--request-timeout=3s",
    ]);
    const waiting = run(["wait", "deploy/slow", "--for=condition=Available", "--timeout=10s"]);
    const rolling = run(["rollout", "status", "deploy/slow", "--timeout=10s"]);
    const status = {
      observedGeneration: 1,
      replicas: 2,
      updatedReplicas: 2,
      readyReplicas: 2,
      availableReplicas: 2,
      conditions: [{ type: "Available", status: "True" }],
    };
    await kubectl(
      "patch",
      "deploy",
      "slow",
      "--subresource=status",
      "--type=merge",
      "-p",
      JSON.stringify({ status }),
    );
    assert.match((await waiting).stdout, /condition met/);
    assert.match((await rolling).stdout, /successfully rolled out/);
    assert.match((await watching).stdout, /slow +2\/2/);
  });

  test("pods: logs, graceful deletion that the kubelet confirms, --force", async () => {
    await feed(POD, "create");
    assert.match(
      await kubectl("get", "pod", "lone", "-o", "wide"),
      /lone +0\/2 +Pending +0 +\S+ +<none> +node-a/,
    );
    assert.equal(await kubectl("logs", "lone", "-c", "main", "--tail=5"), "default/lone/main tail=5");
    await refused(/container nothing is not valid for pod lone/, ["logs", "lone", "-c", "nothing"]);
    await kubectl("delete", "pod", "lone", "--wait=false");
    assert.match(await kubectl("get", "pod", "lone"), /Terminating/);
    const gone = run(["wait", "--for=delete", "pod/lone", "--timeout=10s"]);
    const confirmed = await run(["delete", "pod", "lone", "--grace-period=0", "--force"]);
    assert.equal(confirmed.code, 0, confirmed.stderr);
    assert.equal((await gone).code, 0);
  });

  test("cascade is written down for the garbage collector", async () => {
    await kubectl("delete", "deploy", "slow", "--cascade=foreground", "--wait=false");
    const finalizers = await kubectl("get", "deploy", "slow", "-o", "jsonpath={.metadata.finalizers}");
    assert.equal(finalizers, '["foregroundDeletion"]');
    await kubectl("patch", "deploy", "slow", "--type=merge", "-p", '{"metadata":{"finalizers":null}}');
    await refused(/not found/, ["get", "deploy", "slow"]);
  });

  test("a namespace that is going takes nothing new, and goes when it is finalized", async () => {
    await kubectl("create", "namespace", "brief");
    await kubectl("delete", "namespace", "brief", "--wait=false");
    assert.match(await kubectl("get", "namespace", "brief"), /Terminating/);
    await refused(/because it is being terminated/, ["-n", "brief", "create", "configmap", "late"]);
    await feed(
      '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"brief"},"spec":{"finalizers":[]}}',
      "replace",
      "--raw",
      "/api/v1/namespaces/brief/finalize",
    );
    await refused(/not found/, ["get", "namespace", "brief"]);
    await refused(/may not be deleted/, ["delete", "namespace", "kube-system"]);
  });
});

describe("custom resources", () => {
  before(async () => {
    await feed(DEFINITION, "apply");
    await kubectl("wait", "--for=condition=Established", "crd/boats.harbour.example", "--timeout=5s");
  });

  const boat = (spec: string): string =>
    `{apiVersion: harbour.example/v1, kind: Boat, metadata: {name: blue}, spec: {${spec}}}`;

  test("schema: types, bounds, enum, pattern, required, unknown fields, CEL", async () => {
    for (const [spec, message] of [
      ["sails: many", /spec\.sails in body must be of type integer/],
      ["sails: 11", /should be less than or equal to 10/],
      ["sails: 1, colour: green", /Unsupported value: "green": supported values: "red", "blue"/],
      ["sails: 1, name: UPPER", /should match '\^\[a-z\]\+\$'/],
      ["name: x", /spec\.sails: Required value/],
      ["sails: 1, oars: 2", /unknown field "spec\.oars"/],
      ["sails: 5", /five sails bring bad luck/],
      ["sails: 1, crew: [{name: a}, {name: a}]", /spec\.crew\[1\]: Duplicate value/],
    ] as const) {
      await refused(message, ["create", "-f", "-"], boat(spec));
    }
  });

  test("defaults, columns, short names, categories, status, scale, versions", async () => {
    await feed(boat("sails: 2, crew: [{name: ann}]"), "create");
    await kubectl(
      "patch",
      "bt",
      "blue",
      "--subresource=status",
      "--type=merge",
      "-p",
      '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}',
    );
    assert.match(await kubectl("get", "bt"), /NAME +SAILS +READY\nblue +2 +True/);
    assert.match(await kubectl("get", "all"), /boat\.harbour\.example\/blue/);
    assert.equal(await kubectl("get", "bt", "blue", "-o", "jsonpath={.spec.colour}"), "red");
    await refused(/sails are only ever added/, [
      "patch",
      "bt",
      "blue",
      "--type=merge",
      "-p",
      '{"spec":{"sails":1}}',
    ]);
    await kubectl("scale", "bt", "blue", "--replicas=3");
    await feed(
      boat("sails: 3, crew: [{name: bob, role: cook}]"),
      "apply",
      "--server-side",
      "--field-manager=cook",
    );
    assert.deepEqual(
      (await kubectl("get", "bt", "blue", "-o", "jsonpath={.spec.crew[*].name}")).split(" ").sort(),
      ["ann", "bob"],
    );
    assert.equal(
      (await run(["get", "boats.v1beta1.harbour.example", "blue", "-o", "jsonpath={.apiVersion}"])).stdout,
      "harbour.example/v1beta1",
    );
    assert.match(await kubectl("explain", "boat.spec"), /sails\s+<integer> -required-/);
    assert.match(await kubectl("describe", "bt", "blue"), /Sails: +3/);
  });

  test("deleting the definition takes its objects along", async () => {
    await kubectl("delete", "crd", "boats.harbour.example", "--timeout=10s");
    await refused(/doesn't have a resource type|could not find/, ["get", "boats"]);
  });
});
