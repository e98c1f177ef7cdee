/** What the real Kubernetes is made of: versions that are tried together, all from Debian 12. */

/** What `kubectl version` says of the server. */
export const KUBERNETES_VERSION = "1.20.2";
/** The newest whole Kubernetes that Debian has the source of; later source packages hold kubectl alone. */
export const KUBERNETES_SOURCE_VERSION = "1.20.5+really1.20.2-1.1+deb12u1";

/** Newest versions are taken of these: Debian 12 only gets security fixes. */
export const TOOLCHAIN_PACKAGES: readonly string[] = [
  "golang-1.19-go",
  "golang-1.19-src",
  // The copy in the source tree kills a program of Go 1.18 or newer that decodes a custom resource.
  "golang-github-modern-go-reflect2-dev",
];

/** Unpacked beside each other, none of them installed: no daemon starts, and the machine stays as it is. */
export const NODE_PACKAGES: readonly string[] = [
  "etcd-server",
  "containerd",
  "runc",
  "libseccomp2",
  "containernetworking-plugins",
  "busybox-static",
  "iptables",
  "libip4tc2",
  "libip6tc2",
  "libxtables12",
  "libnftnl11",
  "libmnl0",
  "conntrack",
  "libnetfilter-conntrack3",
  "libnfnetlink0",
  "ethtool",
  "socat",
  "kubernetes-client",
  "bpftool",
];

/** The API server first: the suite of its contract needs nothing else. */
export const PROGRAMS = [
  "kube-apiserver",
  "kubelet",
  "kube-controller-manager",
  "kube-scheduler",
  "kube-proxy",
] as const;
export type ProgramName = (typeof PROGRAMS)[number];
