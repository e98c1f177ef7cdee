/** Which pods have pages for people, and on which port (reference: l7-and-cli §3.6). */

export interface Dashboard {
  readonly name: string;
  readonly about: string;
  readonly selector: string;
  readonly port: number;
  readonly path: string;
}

export const DASHBOARDS: readonly Dashboard[] = [
  {
    name: "prometheus",
    about: "metrics",
    selector: "app.kubernetes.io/name=prometheus",
    port: 9090,
    path: "/",
  },
  {
    name: "grafana",
    about: "diagrams of metrics",
    selector: "app.kubernetes.io/name=grafana",
    port: 3000,
    path: "/",
  },
  { name: "kiali", about: "the mesh as a graph", selector: "app=kiali", port: 20_001, path: "/kiali" },
  { name: "jaeger", about: "traces", selector: "app=jaeger", port: 16_686, path: "/" },
  { name: "zipkin", about: "traces", selector: "app=zipkin", port: 9411, path: "/" },
  { name: "skywalking", about: "traces", selector: "app=skywalking-ui", port: 8080, path: "/" },
  {
    name: "istiod-debug",
    about: "debug pages of the control plane",
    selector: "app=istiod",
    port: 8080,
    path: "/debug",
  },
];
