import assert from "node:assert/strict";
import { test } from "node:test";
import { everyCommand, run, runWith, setUp } from "./program.fixture.ts";

test("every command shows examples, under the name by which it was called", () => {
  for (const command of everyCommand(setUp("istioctl").program)) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    assert.match(help, /\nExamples:\n {2}\S/, command.name());
    assert.match(help, /^Usage: istioctl/);
    if (command.name() !== "demo") assert.doesNotMatch(help, /\bmeltemi [a-z]/, command.name());
  }
});

test("every command and every flag says what it is", () => {
  for (const command of everyCommand(setUp("istioctl").program)) {
    // The one that shells call.
    if (command.name().startsWith("__")) continue;
    assert.notEqual(command.description(), "", command.name());
    for (const option of command.options)
      if (!option.hidden) assert.notEqual(option.description, "", `${command.name()} ${option.flags}`);
    for (const argument of command.registeredArguments)
      assert.match(`${argument.description}${argument.name()}`, /\w/, command.name());
  }
});

/** `istioctl` and what follows, up to a pipe or a redirection; in quotes there may be spaces. */
function wordsOf(line: string): readonly string[] | undefined {
  const [, text] = /(?:^|\s)istioctl ([^|>]*)/.exec(line.trim()) ?? [];
  return text?.trim().match(/"[^"]*"|'[^']*'|\S+/g) ?? undefined;
}

test("examples are commands and flags that there are", () => {
  const { program } = setUp("istioctl");
  for (const command of everyCommand(program)) {
    let help = "";
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
    const lines = help.slice(help.indexOf("\nExamples:\n")).split("\n");
    for (const words of lines.map(wordsOf)) {
      if (words === undefined) continue;
      let found = program;
      for (const word of words)
        found = found.commands.find((one) => one.name() === word || one.aliases().includes(word)) ?? found;
      assert.notEqual(found, program, words.join(" "));
      // Its words are another program's.
      if (found.name() === "cluster") continue;
      for (const word of words.filter((one) => /^--?[a-zA-Z]/.test(one))) {
        const flag = word.split("=")[0];
        const known = [...found.options, ...program.options].some(
          ({ long, short }) => long === flag || short === flag,
        );
        assert.ok(known, `${words.join(" ")}: ${found.name()} has no ${flag}`);
      }
    }
  }
});

const CASES = [
  {
    name: "a misspelt command",
    words: ["instal"],
    want: /unknown command 'instal'\n\(Did you mean install\?\)/,
  },
  {
    name: "a misspelt option",
    words: ["install", "--dryrun"],
    want: /unknown option '--dryrun'\n\(Did you mean --dry-run\?\)/,
  },
  { name: "no file", words: ["validate"], want: /required option '-f, --filename <file>' not specified/ },
  {
    name: "a file there is not",
    words: ["validate", "-f", "/nonexistent/a"],
    want: /read \/nonexistent\/a: no such file/,
  },
  {
    name: "a format there is not",
    words: ["version", "-o", "xml"],
    want: /Allowed choices are text, json, yaml/,
  },
  {
    name: "no duration",
    words: ["install", "--readiness-timeout", "soon"],
    want: /Expected a duration such as 90s or 5m/,
  },
  {
    name: "a value there is not",
    words: ["manifest", "generate", "--set", "values.cni.ambeint=1"],
    want: /did you mean ambient/,
  },
  {
    name: "neither all nor one revision",
    words: ["uninstall"],
    want: /expected either --purge .* or --revision/,
  },
  { name: "both", words: ["uninstall", "--purge", "--revision", "a"], want: /expected either --purge/ },
  {
    name: "no cluster",
    words: ["install", "-y", "-c", "/nonexistent/k"],
    want: /read kubeconfig .*there is no such file/,
  },
  {
    name: "-v without a level is taken",
    words: ["proxy-status", "-v", "-c", "/nonexistent/k"],
    want: /read kubeconfig .*there is no such file/,
  },
  {
    name: "a proxy in the place of a level",
    words: ["proxy-status", "-v", "deploy/waypoint"],
    want: /expected 0 or 1 \(the name of a proxy goes before it\), got deploy\/waypoint/,
  },
  {
    name: "a waypoint of the reserved name",
    words: ["waypoint", "apply", "--name", "none"],
    want: /invalid name provided for waypoint, 'none' is a reserved value/,
  },
  {
    name: "traffic there is not",
    words: ["waypoint", "generate", "--for", "pods"],
    want: /invalid traffic type: pods\. Valid options are: \[all none service workload\]/,
  },
  {
    name: "a service without name",
    words: ["waypoint", "apply", "--for", "service/"],
    want: /invalid traffic type: service\//,
  },
  {
    name: "no waypoint named",
    words: ["waypoint", "delete"],
    want: /must specify a waypoint name or delete all using --all or delete specific revision using --revision/,
  },
  {
    name: "one waypoint and all",
    words: ["waypoint", "delete", "a", "--all"],
    want: /cannot specify waypoint names when deleting all waypoints/,
  },
  { name: "a demo without root", words: ["demo"], want: /only root may do: sudo npm run demo/ },
  {
    name: "a ztunnel's certificates, but not which one's",
    words: ["ztunnel-config", "certificate"],
    want: /ztunnel pod name or --node must be set/,
  },
  {
    name: "a file and a node",
    words: ["zc", "workload", "-f", "x", "--node", "y"],
    want: /expected at most one of --file, --node and a pod's name/,
  },
  {
    name: "a dump that is none",
    words: ["zc", "workload", "-f", import.meta.filename],
    want: /expected a config dump in JSON/,
  },
  {
    name: "a log level there is not",
    words: ["zc", "log", "--level", "access:loud"],
    want: /--level "access:loud": expected <level> or <scope>:<level>/,
  },
  { name: "keep and once", words: ["demo", "--keep", "--once"], want: /cannot be used with/ },
] as const;
for (const { name, words, want } of CASES) {
  test(`refused: ${name}`, async () => {
    const { code, err, out } = await run("istioctl", ...words);
    assert.match(err, want);
    assert.equal(code, 1);
    assert.equal(out, "");
  });
}

const LEFT_OUT = [
  {
    words: ["kube-inject", "-f", "x.yaml"],
    want: /kube-inject: there is no sidecar injector yet.*label namespace/,
  },
  { words: ["x", "check-inject", "-n", "shop", "pod"], want: /Try: istioctl x describe pod/ },
  { words: ["x", "injector", "list"], want: /Try: istioctl ztunnel-config workload/ },
  { words: ["profile", "list"], want: /profiles are ambient, default, minimal and empty/ },
] as const;
for (const { words, want } of LEFT_OUT)
  test(`left out: ${words.join(" ")} says why, and what to do instead`, async () => {
    const { code, err } = await run("istioctl", ...words);
    assert.match(err, want);
    assert.equal(code, 1);
  });

const SETTINGS = [
  {
    name: "a global flag before the command's name",
    words: ["-c", "/nonexistent/a", "waypoint", "list"],
    env: {},
    want: /kubeconfig \/nonexistent\/a/,
  },
  {
    name: "a global flag between the command's names",
    words: ["-c", "/nonexistent/a", "waypoint", "-c", "/nonexistent/p", "list"],
    env: {},
    want: /kubeconfig \/nonexistent\/p/,
  },
  {
    name: "the command's own wins",
    words: ["-c", "/nonexistent/a", "waypoint", "list", "-c", "/nonexistent/b"],
    env: {},
    want: /kubeconfig \/nonexistent\/b/,
  },
  {
    name: "the environment",
    words: ["waypoint", "list"],
    env: { ISTIOCTL_KUBECONFIG: "/nonexistent/e" },
    want: /kubeconfig \/nonexistent\/e/,
  },
  {
    name: "no duration in the environment",
    words: ["waypoint", "list"],
    env: { ISTIOCTL_KUBECLIENT_TIMEOUT: "soon" },
    want: /--kubeclient-timeout from \$ISTIOCTL_KUBECLIENT_TIMEOUT: "soon": Expected a duration/,
  },
  {
    name: "a configuration file that is not there",
    words: ["waypoint", "list"],
    env: { ISTIOCONFIG: "/nonexistent/c" },
    want: /read ISTIOCONFIG \/nonexistent\/c: no such file/,
  },
] as const;
for (const { name, words, env, want } of SETTINGS)
  test(`settings: ${name}`, async () => {
    const given = { env: { HOME: "/nonexistent", ...env } };
    assert.match((await runWith(given, "istioctl", ...words)).err, want);
  });

test("options and config list tell the global flags and where their values come from", async (t) => {
  const env = { HOME: "/nonexistent", ISTIOCTL_NAMESPACE: "shop" };
  for (const words of [["options"], ["x", "config", "list"], ["x", "config", "list", "-o", "json"]]) {
    const { out, code } = await runWith({ env }, "istioctl", ...words);
    assert.equal(code, 0);
    t.assert.snapshot(out, { serializers: [String] });
  }
});

test("version without a cluster is an answer, with the reason aside", async () => {
  const { code, out, err } = await run("meltemi", "version", "-o", "json");
  assert.deepEqual([code, JSON.parse(out)], [0, { clientVersion: { version: "1.2.3" } }]);
  assert.match(err, /^only the client's version: read kubeconfig/);
  assert.equal((await run("meltemi", "version", "--no-remote")).err, "");
});

test("what manifest generate prints is one document for each object", async () => {
  const { out } = await run("meltemi", "manifest", "generate", "--set", "profile=ambient");
  assert.match(out, /^kind: DaemonSet$/m);
  assert.ok(out.split("---\n").length > 20);
});

test("`x desc` is describe", async () =>
  assert.match(
    (await run("istioctl", "x", "desc", "service", "--help")).out,
    /a service, its routes and its policies/,
  ));
