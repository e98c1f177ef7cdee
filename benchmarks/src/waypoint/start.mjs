// Starts one of our programs as the components' own main.mjs do: compiled form kept, and the same bound on the growth of the heap.
import { enableCompileCache, flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

const [program] = process.argv.splice(2, 1);

setFlagsFromString("--heap-growing-percent=100");
enableCompileCache(fileURLToPath(new URL("../../../node_modules/.cache/meltemi", import.meta.url)));
await import(program);
// At once: the benchmark ends its programs with a signal that leaves no time.
flushCompileCache();
