/**
 * `proxy waypoint`: the L7 proxy as a process. Only the first step is here: the compiled form of everything else is kept from one
 * start to the next, so that a replica is ready sooner and the compiler that strips the types is never loaded. For its sake this file
 * is plain JavaScript.
 */

import { enableCompileCache, flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

// Beside the installed packages: whoever could write there could change the program itself. Not in /tmp, where anybody could.
const CACHE_FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/meltemi", import.meta.url));
/** A proxy that is killed writes nothing; one that has started has loaded nearly everything. */
const SAVE_AFTER_MS = 2000;

// The heap may double between two collections; by itself V8 lets a small one grow fourfold. As in ztunnel, CPU time is the same.
setFlagsFromString("--heap-growing-percent=100");
enableCompileCache(CACHE_FOLDER);
const { runProxyProcess } = await import("./proxy-process.ts");
const save = () => void setTimeout(flushCompileCache, SAVE_AFTER_MS).unref();
process.exitCode = await runProxyProcess(process.argv.slice(2), process.env, save);
