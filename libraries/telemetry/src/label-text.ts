/** Labels as they stand in a sample (OpenMetrics 1.0, "Text format"). */

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `le` belongs to histograms, two underscores to Prometheus itself. */
const RESERVED = /^(?:__|le$)/;

export function isLabelName(name: string): boolean {
  return LABEL_NAME.test(name);
}

/** A name that users may give to a label of theirs. */
export function isFreeLabelName(name: string): boolean {
  return isLabelName(name) && !RESERVED.test(name);
}

/** One label: `name="value"`. */
export function labelText(name: string, value: string): string {
  return `${name}="${escapeLabelValue(value)}"`;
}

function escapeLabelValue(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
