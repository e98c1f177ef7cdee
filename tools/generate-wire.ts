/** Regenerates libraries/wire/src/generated from libraries/wire/proto. Run by hand after a change; `git diff` must then be clean in CI. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";

const wire = join(import.meta.dirname, "..", "libraries", "wire");
const bin = join(import.meta.dirname, "..", "node_modules", ".bin");
const template = {
  version: "v2",
  plugins: [
    {
      local: join(bin, "protoc-gen-es"),
      out: "src/generated",
      // `ts` would emit enums, which Node's type stripping refuses.
      opt: ["target=js+dts", "import_extension=js"],
    },
  ],
  inputs: [{ directory: "proto" }],
};
execFileSync(join(bin, "buf"), ["generate", "--template", JSON.stringify(template)], {
  cwd: wire,
  stdio: "inherit",
});
