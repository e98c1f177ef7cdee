/** Which of the client's connections went through the mesh, as the proxy that took them tells. Pure. */

/** A connection by the end that the client knows: its own port and the address it asked for. */
export type ConnectionKey = `${number} ${string}`;

export interface LoggedConnection {
  readonly key: ConnectionKey;
  /** When it ended, in milliseconds since the epoch. */
  readonly endedMs: number;
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
    return [
      { key: keyOf(Number(port), asked), endedMs: Date.parse(line.slice(0, line.indexOf("\t"))), peer },
    ];
  });
}

/** Longer than a busy proxy takes to see an end that the client has seen; sooner no port comes round again. */
const SAME_END_MS = 1_000;

/** The log's word on a connection that the client saw end at `endedMs`; undefined while there is none. */
export type FindLogged = (key: ConnectionKey, endedMs: number) => LoggedConnection | undefined;

/** Ports are given again within seconds: the time of the end tells connections of the same key apart. */
export function indexLog(connections: readonly LoggedConnection[]): FindLogged {
  const byKey = Map.groupBy(connections, ({ key }) => key);
  return (key, endedMs) => {
    const near = (byKey.get(key) ?? [])
      .map((logged) => ({ logged, awayMs: Math.abs(logged.endedMs - endedMs) }))
      .sort((a, b) => a.awayMs - b.awayMs)[0];
    return near !== undefined && near.awayMs <= SAME_END_MS ? near.logged : undefined;
  };
}
