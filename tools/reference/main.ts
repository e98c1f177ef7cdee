/** Writes docs/reference from the code (`npm run generate`); a test compares. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { referencePages } from "./documents.ts";
import { ROOT } from "./record-families.ts";

for (const [path, text] of referencePages()) {
  mkdirSync(dirname(join(ROOT, path)), { recursive: true });
  writeFileSync(join(ROOT, path), text);
}
