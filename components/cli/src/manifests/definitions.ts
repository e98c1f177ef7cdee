/** The CustomResourceDefinitions of the mesh, as objects of the base component. */

import { customResourceDefinitions } from "@meltemi/resources";
import type { Manifest } from "./objects.ts";

export function meshDefinitions(): readonly Manifest[] {
  return customResourceDefinitions() as readonly Manifest[];
}
