/** Whether a stream's node is what its token says (reference: protocol §3.8, `PILOT_ENABLE_XDS_IDENTITY_CHECK`). */

import type { SessionNode } from "@meltemi/xds";
import type { Caller } from "../certificate-authority/decide-issue.ts";

/** Undefined when good. Node ids are `<type>~<ip>~<pod>.<namespace>~<domain>`. */
export function nodeFault(node: SessionNode, caller: Caller): string | undefined {
  const parts = node.id.split("~");
  const podId = parts[2] ?? "";
  const dot = podId.lastIndexOf(".");
  if (parts.length !== 4 || dot < 1)
    return `node ${JSON.stringify(node.id.slice(0, 128))}: expected <type>~<ip>~<pod>.<namespace>~<domain>`;
  const namespace = podId.slice(dot + 1);
  if (namespace !== caller.namespace)
    return `node in namespace ${namespace}: its token is of namespace ${caller.namespace}`;
  if (node.namespace !== "" && node.namespace !== caller.namespace)
    return `node metadata NAMESPACE ${node.namespace}: its token is of namespace ${caller.namespace}`;
  if (node.serviceAccount !== "" && node.serviceAccount !== caller.serviceAccount)
    return `node metadata SERVICE_ACCOUNT ${node.serviceAccount}: its token is of ${caller.serviceAccount}`;
  const pod = podId.slice(0, dot);
  if (caller.pod !== undefined && caller.pod.name !== pod)
    return `node of pod ${pod}: its token is bound to pod ${caller.pod.name}`;
  return undefined;
}
