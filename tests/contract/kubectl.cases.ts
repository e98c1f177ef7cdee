/** The machine's real kubectl: what people type, and what they read. */

import assert from "node:assert/strict";
import type { ApiClient } from "./api-client.ts";
import { type Contract, makeNamespace } from "./contract.ts";

const MAP = (value: string): string =>
  `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: "${value}"}\n`;

/** Must succeed. */
async function run(api: ApiClient, words: readonly string[], input = ""): Promise<string> {
  const { code, stdout, stderr } = await api.kubectl(words, input);
  assert.equal(code, 0, `kubectl ${words.join(" ")}: ${stderr}`);
  return stdout;
}

async function space(api: ApiClient): Promise<string> {
  return (await makeNamespace(api, "kubectl")).split("/").at(-1) ?? "";
}

export function kubectlCases(contract: Contract): void {
  writingCommands(contract);
  readingCommands(contract);
}

function writingCommands({ case: contract }: Contract): void {
  contract("kubectl create, apply, diff, replace, label, annotate, patch, delete", async (api) => {
    const n = `-n${await space(api)}`;
    assert.match(await run(api, [n, "apply", "-f-"], MAP("1")), /configmap\/a created/);
    assert.match(await run(api, [n, "apply", "-f-"], MAP("1")), /configmap\/a unchanged/);
    const diff = await api.kubectl([n, "diff", "-f-"], MAP("2"));
    assert.equal(diff.code, 1, diff.stderr);
    assert.match(diff.stdout, /^-\s+x: "1"$/m);
    assert.match(await run(api, [n, "apply", "-f-"], MAP("2")), /configmap\/a configured/);
    assert.match(await run(api, [n, "replace", "-f-"], MAP("3")), /configmap\/a replaced/);
    assert.match(await run(api, [n, "label", "cm/a", "l=1"]), /labeled/);
    assert.match(await run(api, [n, "annotate", "cm/a", "an=1"]), /annotated/);
    assert.match(await run(api, [n, "patch", "cm/a", "-p", '{"data":{"y":"1"}}']), /patched/);
    assert.match(await run(api, [n, "delete", "cm", "a", "--wait=true"]), /deleted/);
  });

  contract("kubectl apply --server-side tells conflicts, and --force-conflicts takes", async (api) => {
    const n = `-n${await space(api)}`;
    await run(api, [n, "apply", "--server-side", "--field-manager=one", "-f-"], MAP("1"));
    const refused = await api.kubectl([n, "apply", "--server-side", "--field-manager=two", "-f-"], MAP("2"));
    assert.match(refused.stderr, /Apply failed with 1 conflict: conflict with "one": \.data\.x/);
    await run(
      api,
      [n, "apply", "--server-side", "--field-manager=two", "--force-conflicts", "-f-"],
      MAP("2"),
    );
  });

  contract("kubectl scale, set image, autoscale, expose, rollout history, wait", async (api) => {
    const n = `-n${await space(api)}`;
    await run(api, [n, "create", "deployment", "d", "--image=nginx:1", "--replicas=2"]);
    await run(api, [n, "scale", "deploy/d", "--replicas=3"]);
    await run(api, [n, "set", "image", "deploy/d", "nginx=nginx:2"]);
    await run(api, [n, "set", "env", "deploy/d", "A=b"]);
    await run(api, [n, "expose", "deploy/d", "--port=80"]);
    await run(api, [n, "rollout", "pause", "deploy/d"]);
    await run(api, [n, "rollout", "resume", "deploy/d"]);
    await run(api, [n, "rollout", "restart", "deploy/d"]);
    await run(api, [n, "wait", "deploy/d", "--for=jsonpath={.spec.replicas}=3", "--timeout=20s"]);
    assert.equal(
      await run(api, [n, "get", "deploy/d", "-o", "jsonpath={.spec.template.spec.containers[0].image}"]),
      "nginx:2",
    );
  });

  contract("kubectl create of every kind that it has a word for", async (api) => {
    const n = `-n${await space(api)}`;
    const words = [
      ["secret", "generic", "s", "--from-literal=a=b"],
      ["serviceaccount", "sa"],
      ["quota", "q", "--hard=pods=2"],
      ["role", "r", "--verb=get", "--resource=pods"],
      ["rolebinding", "rb", "--role=r", "--serviceaccount=x:y"],
      ["service", "clusterip", "svc", "--tcp=80:8080"],
      ["job", "j", "--image=i"],
    ];
    for (const word of words) assert.match(await run(api, [n, "create", ...word]), /created/, word.join(" "));
  });

  contract("kubectl create poddisruptionbudget", async (api) => {
    const words = ["create", "pdb", "p", "--selector=a=b", "--min-available=1"];
    assert.match(await run(api, [`-n${await space(api)}`, ...words]), /created/);
  });
}

function readingCommands({ case: contract }: Contract): void {
  const asked: readonly { readonly words: string; readonly says: RegExp }[] = [
    { words: "version", says: /Server Version: v1\./ },
    { words: "api-versions", says: /^apps\/v1$/m },
    { words: "api-resources", says: /^deployments +deploy +apps\/v1 +true +Deployment$/m },
    { words: "api-resources --namespaced=false -o name", says: /^nodes$/m },
    { words: "cluster-info", says: /Kubernetes control plane.* is running at .*https:\/\/127\.0\.0\.1/ },
    { words: "auth can-i create deployments.apps", says: /^yes$/m },
    { words: "auth can-i list secrets --as=system:serviceaccount:default:default", says: /^no/m },
    { words: "explain pods.spec.containers.livenessProbe.httpGet.port", says: /FIELD: +port/ },
    { words: "explain deployments --recursive", says: /maxSurge/ },
    { words: "get --raw /healthz", says: /^ok$/ },
    { words: "get namespaces default -o name", says: /^namespace\/default$/m },
    { words: "get ns -o wide", says: /^NAME +STATUS +AGE$/m },
    {
      words: "get svc kubernetes -n default",
      says: /^kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP +/m,
    },
    { words: "get events -A", says: /^$|LAST SEEN/ },
    { words: "describe ns default", says: /^Name: +default$/m },
    { words: "describe clusterrole view", says: /^PolicyRule:$/m },
  ];
  for (const { words, says } of asked)
    contract(`kubectl ${words}`, async (api) => {
      const { stdout, stderr } = await api.kubectl(words.split(" "));
      assert.match(stdout, says, stderr);
    });

  contract("kubectl describe of what the namespace holds", async (api) => {
    const name = await space(api);
    const n = `-n${name}`;
    await run(api, [n, "create", "deployment", "d", "--image=nginx:1"]);
    await run(api, [n, "expose", "deploy/d", "--port=80"]);
    await run(api, [n, "create", "job", "j", "--image=i"]);
    await run(api, [n, "run", "p", "--image=i"]);
    for (const [what, says] of [
      ["deploy/d", /^Replicas: +1 desired/m],
      ["svc/d", /^Selector: +app=d$/m],
      ["job/j", /^Parallelism: +1$/m],
      ["pod/p", /^Status: +Pending$/m],
      ["sa/default", /^Name: +default$/m],
    ] as const)
      assert.match(await run(api, [n, "describe", what]), says);
    assert.match(await run(api, [n, "get", "all"]), /pod\/p +0\/1 +Pending/);
  });

  contract("kubectl get: sorted, by columns, by template, in pages", async (api) => {
    const n = `-n${await space(api)}`;
    for (const name of ["b", "a", "c"]) await run(api, [n, "create", "cm", name, `--from-literal=x=${name}`]);
    const by = "custom-columns=N:.metadata.name,X:.data.x";
    const shown = await run(api, [
      n,
      "get",
      "cm",
      "--chunk-size=1",
      "--sort-by=.data.x",
      "-o",
      by,
      "--no-headers",
    ]);
    assert.deepEqual(
      shown
        .trim()
        .split(/\n/)
        .map((line) => line.trim().split(/ +/).join("="))
        .filter((line) => /^[abc]=/.test(line)),
      ["a=a", "b=b", "c=c"],
    );
  });
}
