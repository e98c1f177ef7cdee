/** Which component the arguments of a container mean. They are those of Istio's images; one image serves all. */

export type Choice =
  | { readonly kind: "run"; readonly component: Component }
  | { readonly kind: "version" }
  | { readonly kind: "refuse"; readonly why: string };

export type Component = "control-plane" | "ztunnel" | "waypoint" | "cni";

const EXPECTED = "expected discovery, proxy ztunnel, proxy waypoint, install-cni or version";

export function chooseProgram(words: readonly string[]): Choice {
  const [command, role] = words;
  switch (command) {
    case "discovery":
      return { kind: "run", component: "control-plane" };
    case "install-cni":
      return { kind: "run", component: "cni" };
    case "version":
      return { kind: "version" };
    case "proxy":
      if (role === "ztunnel") return { kind: "run", component: "ztunnel" };
      if (role === "waypoint") return { kind: "run", component: "waypoint" };
      return { kind: "refuse", why: `unknown proxy ${JSON.stringify(role ?? "")}: ${EXPECTED}` };
    default:
      return { kind: "refuse", why: `unknown command ${JSON.stringify(command ?? "")}: ${EXPECTED}` };
  }
}
