/** What a Service's port says of its protocol: `appProtocol`, else the beginning of its name (reference: l7-and-cli §1.10). Pure. */

import { type Json, textAt } from "../output/json.ts";

const KNOWN: Readonly<Record<string, string>> = {
  http: "HTTP",
  http1: "HTTP",
  http2: "HTTP2",
  "kubernetes.io/h2c": "HTTP2",
  "kubernetes.io/ws": "HTTP",
  https: "HTTPS",
  "kubernetes.io/wss": "HTTPS",
  grpc: "GRPC",
  "grpc-web": "GRPC-Web",
  tcp: "TCP",
  tls: "TLS",
  hbone: "HBONE",
  mongo: "Mongo",
  mysql: "MySQL",
  redis: "Redis",
  udp: "UDP",
};

/** `auto-detect` when nothing is declared. */
export function protocolOf(port: Json): string {
  const declared = protocolWord(textAt(port, "appProtocol").toLowerCase());
  if (declared !== undefined) return declared;
  if (textAt(port, "protocol").toUpperCase() === "UDP") return "UDP";
  const name = textAt(port, "name").toLowerCase();
  return (
    protocolWord(name) ??
    (name.startsWith("grpc-web-") ? "GRPC-Web" : protocolWord(name.split("-")[0] ?? "")) ??
    "auto-detect"
  );
}

function protocolWord(word: string): string | undefined {
  return Object.hasOwn(KNOWN, word) ? KNOWN[word] : undefined;
}
