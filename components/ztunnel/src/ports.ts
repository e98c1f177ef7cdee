/** Ports of the data plane (reference: protocol §2). Tests move them; in production they are Istio's. */
export interface ProxyPorts {
  readonly outbound: number;
  readonly inboundPlaintext: number;
  readonly inboundHbone: number;
  /** Zero when SOCKS5 is off. */
  readonly socks5: number;
}

export const ISTIO_PORTS: ProxyPorts = {
  outbound: 15001,
  inboundPlaintext: 15006,
  inboundHbone: 15008,
  socks5: 0,
};

/**
 * A connection to one of our own listeners would make us call ourselves without end. The DNS proxy (15053) is none of these: it
 * takes a connection and passes it on to nobody, and it listens on loopback alone, so that from a tunnel the pod's port
 * 15053 is either an application's own or refused by the kernel (reference: protocol §2).
 */
export function isOwnPort(ports: ProxyPorts, port: number): boolean {
  return (
    port === ports.outbound ||
    port === ports.inboundPlaintext ||
    port === ports.inboundHbone ||
    (ports.socks5 !== 0 && port === ports.socks5)
  );
}

export const RECURSIVE_CALL = "attempted recursive call to ourselves";
