/** Which of the client's connections went through the mesh, as the proxy that took them tells. Pure. */

/** A connection by the end that the client knows: its own port and the address it asked for. */
export type ConnectionKey = `${number} ${string}`;

export interface LoggedConnection {
  readonly key: ConnectionKey;
  /** Of the peer, proved by its certificate; undefined: plaintext. */
  readonly peer: string | undefined;
}

export const keyOf = (localPort: number, address: string): ConnectionKey => `${localPort} ${address}`;

/** Lines of ztunnel's access log that tell of connections from its own pods; other lines are left out. */
export function readOutbound(log: string): readonly LoggedConnection[] {
  return log.split("\n").flatMap((line) => {
    if (!line.includes('direction="outbound"')) return [];
    const port = /src\.addr=\S+:(\d+)/.exec(line)?.[1];
    const tunnelled = /dst\.hbone_addr=(\S+):\d+/.exec(line)?.[1];
    const asked = tunnelled ?? /dst\.addr=(\S+):\d+/.exec(line)?.[1];
    if (port === undefined || asked === undefined) return [];
    const peer = tunnelled === undefined ? undefined : /dst\.identity="([^"]+)"/.exec(line)?.[1];
    return [{ key: keyOf(Number(port), asked), peer }];
  });
}
