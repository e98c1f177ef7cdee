/** Where in a document something is: the fields and list positions that lead to it. */

export type Path = readonly (string | number)[];

/** `spec.rules[0].from`, and `metadata.labels["app.kubernetes.io/name"]` for names that are more than a word. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_$][\w-]*$/.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}

/** The inverse, for paths that come as text. What does not read as a path ends it: what was read so far is where to look. */
export function parsePath(text: string): Path {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]]+)|\[(\d{1,9})\]|\[("(?:[^"\\]|\\.)*")\]/y;
  for (;;) {
    const found = step.exec(text);
    if (found === null) return steps;
    const [, name, index, quoted] = found;
    if (name !== undefined) steps.push(name);
    else if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(unquote(quoted));
  }
}

function unquote(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text.slice(1, -1);
  }
}
