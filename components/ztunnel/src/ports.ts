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

/** A connection to one of our own listeners would make us call ourselves without end. */
export function isOwnPort(ports: ProxyPorts, port: number): boolean {
  return (
    port === ports.outbound ||
    port === ports.inboundPlaintext ||
    port === ports.inboundHbone ||
    (ports.socks5 !== 0 && port === ports.socks5)
  );
}

export const RECURSIVE_CALL = "attempted recursive call to ourselves";
