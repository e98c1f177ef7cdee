/**
 * `proxy ztunnel`: the node proxy as a process. Only the first step is here: the compiled form of everything else is kept from one
 * start to the next. Without it a start takes 310 ms until the configuration is read, with it 160, and the compiler that strips the
 * types is never loaded. For its sake this file is plain JavaScript: 18 MB of an idle proxy.
 */

import { enableCompileCache, flushCompileCache } from "node:module";
import { fileURLToPath } from "node:url";
import { setFlagsFromString } from "node:v8";

// Beside the installed packages: whoever could write there could change the program itself. Not in /tmp, where anybody could.
const CACHE_FOLDER = fileURLToPath(new URL("../../../node_modules/.cache/meltemi", import.meta.url));
/** A proxy that is killed writes nothing; one that has started has loaded nearly everything. */
const SAVE_AFTER_MS = 2000;

// The heap may double between two collections; by itself V8 lets a small one grow fourfold, and a node whose pods come and go would
// pay for 300 MB of dead connections. CPU time is the same. Beyond reach of NODE_OPTIONS.
setFlagsFromString("--heap-growing-percent=100");
enableCompileCache(CACHE_FOLDER);
// Worker threads follow the environment.
process.env["NODE_COMPILE_CACHE"] = CACHE_FOLDER;
const { runProxyProcess } = await import("./proxy-process.ts");
const save = () => void setTimeout(flushCompileCache, SAVE_AFTER_MS).unref();
process.exitCode = await runProxyProcess(process.argv.slice(2), process.env, save);
