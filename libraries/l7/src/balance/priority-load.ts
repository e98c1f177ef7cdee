/** How traffic spills from one priority to the next (Envoy's "priority levels"). */

/** A priority gives nothing away until more than 2 of 7 endpoints are gone: Envoy's overprovisioning factor. */
const OVERPROVISIONING = 1.4;

/** 0 to 100: how much of its traffic a set can take of which `usable` out of `count` are left. */
export function availabilityOf(usable: number, count: number): number {
  return count === 0 ? 0 : Math.min(100, (100 * OVERPROVISIONING * usable) / count);
}

/** Percentages by priority, 100 in sum; none at all where nothing is available. What all lack together is shared as they share. */
export function priorityLoads(availabilities: readonly number[]): readonly number[] {
  const sum = availabilities.reduce((total, availability) => total + availability, 0);
  const scale = sum > 0 && sum < 100 ? 100 / sum : 1;
  let left = sum > 0 ? 100 : 0;
  return availabilities.map((availability) => {
    const load = Math.min(left, availability * scale);
    left -= load;
    return load;
  });
}
