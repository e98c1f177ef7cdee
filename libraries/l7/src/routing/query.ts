/** Query of a request's path, read where it stands: nothing is decoded, as Envoy's routes do, and a table is built only where many names are asked for. */

/** Position of the first character after `?`; -1 without a query. */
function queryStart(path: string): number {
  const mark = path.indexOf("?");
  return mark < 0 ? -1 : mark + 1;
}

/** `path` without its query. */
export function withoutQuery(path: string): string {
  const mark = path.indexOf("?");
  return mark < 0 ? path : path.slice(0, mark);
}

/** `?` and the query, or nothing. */
export function querySuffix(path: string): string {
  const mark = path.indexOf("?");
  return mark < 0 ? "" : path.slice(mark);
}

/** The first value of a parameter; empty for one without `=`; undefined when it is not there. `name` has no `=` and no `&`. One pass. */
export function queryParameter(path: string, name: string): string | undefined {
  let start = queryStart(path);
  if (start < 0) return undefined;
  while (start <= path.length) {
    const ampersand = path.indexOf("&", start);
    const end = ampersand < 0 ? path.length : ampersand;
    if (path.startsWith(name, start)) {
      const after = start + name.length;
      if (after === end) return "";
      if (after < end && path.charCodeAt(after) === 0x3d) return path.slice(after + 1, end);
    }
    start = end + 1;
  }
  return undefined;
}

/** Every parameter with its first value. */
export function queryParameters(path: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  const start = queryStart(path);
  if (start < 0) return values;
  for (const parameter of path.slice(start).split("&")) {
    const equals = parameter.indexOf("=");
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    if (!values.has(name)) values.set(name, equals < 0 ? "" : parameter.slice(equals + 1));
  }
  return values;
}
