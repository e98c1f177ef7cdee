/** How a write is credited: by its manager, in the half of the object that it writes. */

import { timestamp } from "../../timestamp.ts";
import { halfOf, type Tracking } from "../apply/track.ts";
import { managerOf, type WriteRequest } from "./context.ts";
import { wholeSchema } from "./decode.ts";

export function trackingOf(request: WriteRequest): Tracking {
  return {
    schema: wholeSchema(request.served),
    manager: managerOf(request, "Update"),
    half: halfOf(request.served.version.subresources.includes("status"), request.subresource),
    now: timestamp(request.nowMs),
  };
}
