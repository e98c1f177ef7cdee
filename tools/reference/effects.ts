/** Who obeys each kind in ambient mode, and what of it nobody obeys. Every kind that is installed has a line: a test holds that. */

export interface Effect {
  readonly by: string;
  readonly except: string;
}

const NOBODY = "nobody: it has no effect on workloads in ambient mode";
const PROTOCOL_ROUTE = "waypoint, for parents that are Services or ServiceEntries (GAMMA)";

export const EFFECTS: Readonly<Record<string, Effect>> = {
  "security.istio.io/AuthorizationPolicy": {
    by: "ztunnel, without `targetRefs`; waypoint, with them",
    except:
      "at ztunnel: HTTP attributes (an ALLOW rule that has some is left out, a DENY rule is enforced without them or, if nothing remains, not at all), `CUSTOM`, `AUDIT`, `trustDomains` beside `principals`",
  },
  "security.istio.io/PeerAuthentication": {
    by: "ztunnel",
    except: "`DISABLE` is the same as `PERMISSIVE`; waypoints take HBONE only",
  },
  "security.istio.io/RequestAuthentication": {
    by: "waypoint, with `targetRefs`",
    except: "a `selector`: nothing looks for tokens there",
  },
  "networking.istio.io/VirtualService": {
    by: "waypoint",
    except: "`gateways` without `mesh`; `exportTo`. It applies by the namespace of the service",
  },
  "networking.istio.io/DestinationRule": {
    by: "waypoint",
    except:
      "`workloadSelector`, `trafficPolicy.tunnel`, `loadBalancer.zoneAwareLbSetting`, `exportTo`; the status names them",
  },
  "networking.istio.io/ServiceEntry": { by: "control plane, for ztunnel and waypoint", except: "`exportTo`" },
  "networking.istio.io/WorkloadEntry": { by: "control plane, for ztunnel and waypoint", except: "" },
  "networking.istio.io/WorkloadGroup": {
    by: NOBODY,
    except: "everything: machines outside Kubernetes are not supported yet",
  },
  "networking.istio.io/Sidecar": { by: NOBODY, except: "everything" },
  "networking.istio.io/Gateway": {
    by: NOBODY,
    except: "everything: gateways and waypoints are those of the Gateway API",
  },
  "networking.istio.io/EnvoyFilter": { by: NOBODY, except: "everything: there is no Envoy" },
  "networking.istio.io/ProxyConfig": { by: NOBODY, except: "everything" },
  "extensions.istio.io/WasmPlugin": { by: NOBODY, except: "everything: waypoints run no plugins" },
  "telemetry.istio.io/Telemetry": {
    by: "waypoint",
    except: "`selector`; it applies by the namespace of the service, or by `targetRefs`",
  },
  "gateway.networking.k8s.io/Gateway": {
    by: "control plane, which deploys waypoints of class `istio-waypoint`",
    except: "other classes: there are no gateways of our own",
  },
  "gateway.networking.k8s.io/GatewayClass": { by: "control plane", except: "" },
  "gateway.networking.k8s.io/HTTPRoute": {
    by: PROTOCOL_ROUTE,
    except: "parents that are Gateways; a filter that is not known answers its rule with 500",
  },
  "gateway.networking.k8s.io/GRPCRoute": { by: PROTOCOL_ROUTE, except: "parents that are Gateways" },
  "gateway.networking.k8s.io/TCPRoute": { by: PROTOCOL_ROUTE, except: "parents that are Gateways" },
  "gateway.networking.k8s.io/TLSRoute": {
    by: PROTOCOL_ROUTE,
    except: "parents that are Gateways; SNI may be any name",
  },
  "gateway.networking.k8s.io/ReferenceGrant": {
    by: "nobody: in a mesh a backend of another namespace needs no grant",
    except: "everything",
  },
  "meltemi.io/RateLimitPolicy": { by: "Obeyed by waypoints: [rate limits](../rate-limits.md).", except: "" },
};
