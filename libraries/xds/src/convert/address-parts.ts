/** Parts that workloads and services share: gateways, ports (reference: protocol §3.3). */

import { create } from "@bufbuild/protobuf";
import { type AppProtocol, type GatewayAddress, ipBytes, type Port } from "@meltemi/model";
import { workload as wire } from "@meltemi/wire";
import { boundedName, type EnumTable, enumToWire, invalid, ipFromWire, portFromWire } from "./fields.ts";

const APP_PROTOCOLS: EnumTable<AppProtocol> = ["unknown", "http11", "http2", "grpc", "tcp", "tls"];

export function portsFromWire(ports: readonly wire.Port[]): readonly Port[] {
  return ports.map((port) => ({
    servicePort: portFromWire("service_port", port.servicePort),
    targetPort: portFromWire("target_port", port.targetPort),
    // Only a hint for telemetry: a protocol newer than this code must not cost the whole workload.
    appProtocol: APP_PROTOCOLS[port.appProtocol] ?? "unknown",
  }));
}

export function portsToWire(ports: readonly Port[]): wire.Port[] {
  return ports.map((port) =>
    create(wire.PortSchema, {
      servicePort: port.servicePort,
      targetPort: port.targetPort,
      appProtocol: enumToWire(APP_PROTOCOLS, port.appProtocol),
    }),
  );
}

export function gatewayFromWire(field: string, gateway: wire.GatewayAddress): GatewayAddress {
  const hbonePort = portFromWire(`${field}.hbone_mtls_port`, gateway.hboneMtlsPort);
  const { destination } = gateway;
  switch (destination.case) {
    case "address":
      return {
        destination: {
          kind: "address",
          network: boundedName(`${field}.network`, destination.value.network),
          ip: ipFromWire(`${field}.address`, destination.value.address),
        },
        hbonePort,
      };
    case "hostname":
      return {
        destination: {
          kind: "hostname",
          namespace: boundedName(`${field}.namespace`, destination.value.namespace),
          hostname: boundedName(`${field}.hostname`, destination.value.hostname),
        },
        hbonePort,
      };
    default:
      throw invalid(field, "without destination", "a hostname or an address");
  }
}

export function gatewayToWire(gateway: GatewayAddress): wire.GatewayAddress {
  const { destination } = gateway;
  return create(wire.GatewayAddressSchema, {
    hboneMtlsPort: gateway.hbonePort,
    destination:
      destination.kind === "address"
        ? {
            case: "address",
            value: create(wire.NetworkAddressSchema, {
              network: destination.network,
              address: ipBytes(destination.ip),
            }),
          }
        : {
            case: "hostname",
            value: create(wire.NamespacedHostnameSchema, {
              namespace: destination.namespace,
              hostname: destination.hostname,
            }),
          },
  });
}
