export { acceptTcp } from "./adopt-tcp.ts";
export { beginTcpConnect, connectTcp } from "./connect.ts";
export { errnoName } from "./failure.ts";
export { ensureBpfFileSystem, findCgroup2Mount } from "./mounts.ts";
export {
  currentNetworkNamespace,
  type NetworkNamespace,
  netnsCookie,
  networkNamespaceFromFd,
  openNetworkNamespace,
  sameNetworkNamespace,
  withNetworkNamespace,
} from "./network-namespace.ts";
export { addReturnRoute, type ReturnRoute } from "./policy-route.ts";
export { whenReady } from "./readiness.ts";
export {
  connectSeqpacket,
  listenSeqpacket,
  type SeqpacketConnection,
  type SeqpacketListener,
  type SeqpacketListenOptions,
} from "./seqpacket.ts";
export { MAX_PACKET_BYTES, type Packet } from "./seqpacket-message.ts";
export { ipBytes, ipText, type SocketAddress } from "./socket-address.ts";
export { ownSocketFile, type SocketFile } from "./socket-file.ts";
export {
  closeFd,
  type KeepAlive,
  localAddress,
  originalDestination,
  peerAddress,
  type SocketOptions,
  setSocketOptions,
  shutdownWrite,
  socketMark,
} from "./socket-options.ts";
export {
  type BoundSocket,
  createTcpListener,
  createUdpSocket,
  startTcpConnect,
  type TcpConnectOptions,
  type TcpListenerOptions,
  type UdpSocketOptions,
} from "./sockets.ts";
