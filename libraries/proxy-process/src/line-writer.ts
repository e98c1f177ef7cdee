/**
 * Log lines of one turn of the event loop in one write: standard output is a pipe, which Node writes to synchronously, and every
 * connection ends with a line.
 */
export function createLineWriter(write: (text: string) => void): (line: string) => void {
  let waiting = "";
  const flush = (): void => {
    const text = waiting;
    waiting = "";
    if (text !== "") write(text);
  };
  // Also after an uncaught error: its own lines are among those that wait.
  process.on("exit", flush);
  return (line) => {
    if (waiting === "") setImmediate(flush);
    waiting += line;
  };
}
