/** Whether one version may take the place of another (reference: l7-and-cli §3.1, §7.1). Pure. */

import { isNewer, parseVersion, type Version } from "./version.ts";

export interface UpgradeFacts {
  /** Of the control planes that are to be replaced. */
  readonly current: readonly string[];
  readonly target: string;
  /** Of proxies that would be left with the new control plane. */
  readonly proxies: readonly string[];
}

export interface UpgradeJudgement {
  /** Each is a reason not to do it; `--force` does it all the same. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/** One minor release at a time, never back, and no proxy newer or more than one minor release older than its control plane. */
export function decideUpgrade({ current, target, proxies }: UpgradeFacts): UpgradeJudgement {
  const problems: string[] = [];
  const warnings: string[] = [];
  const wanted = parseVersion(target);
  if (wanted === undefined) {
    warnings.push(
      `${target} is no version such as 1.2.3: whether it may follow ${list(current)} is not known`,
    );
    return { problems, warnings };
  }
  for (const version of new Set(current)) {
    const running = parseVersion(version);
    if (running === undefined) warnings.push(`the control plane's version ${version} cannot be compared`);
    else problems.push(...stepProblems(running, version, wanted, target));
  }
  const counts = new Map<string, number>();
  for (const version of proxies) counts.set(version, (counts.get(version) ?? 0) + 1);
  for (const [version, count] of counts) {
    const running = parseVersion(version);
    const many = `${count} ${count === 1 ? "proxy runs" : "proxies run"} ${version}`;
    if (running === undefined) warnings.push(`${many}, which cannot be compared`);
    else if (isNewer(running, wanted) && !isSameMinor(running, wanted))
      problems.push(`${many}: newer than the control plane they would have`);
    else if (minorsBetween(running, wanted) > 1)
      problems.push(`${many}: more than one minor release older than the control plane they would have`);
  }
  return { problems, warnings };
}

function stepProblems(running: Version, from: string, wanted: Version, to: string): readonly string[] {
  if (isNewer(running, wanted))
    return [`${from} runs, and ${to} is older: going back needs a restore, not an upgrade`];
  if (minorsBetween(running, wanted) > 1)
    return [`${from} runs, and ${to} is more than one minor release away: upgrade to each one between`];
  return [];
}

function isSameMinor(a: Version, b: Version): boolean {
  return a.major === b.major && a.minor === b.minor;
}

/** Another major release is further than any minor one. */
function minorsBetween(from: Version, to: Version): number {
  return from.major === to.major ? to.minor - from.minor : Number.POSITIVE_INFINITY;
}

function list(versions: readonly string[]): string {
  return [...new Set(versions)].join(", ") || "what runs";
}
