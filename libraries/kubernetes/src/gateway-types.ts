/** The parts of Gateway API objects that the mesh reads before they are parsed in depth (reference: l7-and-cli §1.2). */

import type { Condition, LabelSelector } from "kubernetes-types/meta/v1.js";
import type { KubernetesObject } from "./resource-type.ts";

export type { Condition };

export interface GatewayListener {
  readonly name: string;
  readonly port: number;
  readonly protocol: string;
  readonly hostname?: string;
  readonly tls?: { readonly mode?: string };
  readonly allowedRoutes?: {
    readonly namespaces?: {
      readonly from?: string;
      readonly selector?: LabelSelector;
    };
  };
}

export interface GatewayAddressValue {
  readonly type?: string;
  readonly value?: string;
}

export interface GatewayListenerStatus {
  readonly name: string;
  readonly attachedRoutes: number;
  readonly supportedKinds: readonly { readonly group?: string; readonly kind: string }[];
  readonly conditions: readonly Condition[];
}

export interface Gateway extends KubernetesObject {
  readonly spec?: {
    readonly gatewayClassName: string;
    readonly listeners: readonly GatewayListener[];
    readonly addresses?: readonly GatewayAddressValue[];
    readonly infrastructure?: {
      readonly labels?: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
      readonly parametersRef?: { readonly group: string; readonly kind: string; readonly name: string };
    };
  };
  readonly status?: {
    readonly addresses?: readonly GatewayAddressValue[];
    readonly conditions?: readonly Condition[];
    readonly listeners?: readonly GatewayListenerStatus[];
  };
}

export interface GatewayClass extends KubernetesObject {
  readonly spec?: { readonly controllerName: string; readonly description?: string };
  readonly status?: { readonly conditions?: readonly Condition[] };
}
