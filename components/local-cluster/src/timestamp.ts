/** RFC 3339 with seconds, as Kubernetes' `Time` is written. */
export function timestamp(nowMs: number): string {
  return `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
}
