/** `stringData` is for writing only: it becomes `data` and is never read back. */
import { childObject, isObject, setDefault, setKey } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";

export function defaultSecret(secret: KubeObject): void {
  setDefault(secret, "type", "Opaque");
  const plain = secret["stringData"];
  if (!isObject(plain)) return;
  const data = childObject(secret, "data");
  for (const [key, value] of Object.entries(plain)) {
    if (typeof value === "string") setKey(data, key, Buffer.from(value).toString("base64"));
  }
  delete secret["stringData"];
}
