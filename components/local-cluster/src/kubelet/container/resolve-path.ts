/** Follows a path inside a root folder as a process whose root it is would. */

/** Target of the symbolic link at an absolute path of the machine, or undefined when there is none. */
export type LinkReader = (path: string) => string | undefined;

/** The kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The same file without symbolic links on the way, absolute inside `root`; undefined for a loop. `/var/run/x` becomes `/run/x`:
 * without this a mount at `<root>/var/run/x` would follow the link to the machine's own /run.
 */
export function resolveInside(root: string, path: string, readLink: LinkReader): string | undefined {
  const base = root === "/" ? "" : root;
  let links = 0;
  let pending = path.split("/");
  let resolved: string[] = [];
  for (;;) {
    const [next, ...rest] = pending;
    if (next === undefined) return `/${resolved.join("/")}`;
    pending = rest;
    if (next === "" || next === ".") continue;
    if (next === "..") {
      resolved = resolved.slice(0, -1);
      continue;
    }
    const target = readLink(`${base}/${[...resolved, next].join("/")}`);
    if (target === undefined) {
      resolved.push(next);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) return undefined;
    if (target.startsWith("/")) resolved = [];
    pending = [...target.split("/"), ...pending];
  }
}
