/** What the running kernel offers, by name: asked of the kernel itself, since versions say little about distribution kernels. */

import { existsSync } from "node:fs";
import { findCgroup2Mount } from "@meltemi/linux";
import { describeError, MeshError } from "@meltemi/runtime";
import { type CaptureObject, captureObject, PROGRAM_FOLDER } from "./capture-programs.ts";
import { loadKernelObject } from "./kernel-object.ts";
import { type Libbpf, libbpf } from "./libbpf.ts";

export interface KernelFeature {
  readonly name: string;
  /** First upstream version that has it. */
  readonly since: string;
  readonly present: boolean;
  /** What the kernel said against it, where it says more than that it is missing. */
  readonly refusal?: string;
  /** Without it eBPF capture does not work; otherwise something smaller is missing, said in `purpose`. */
  readonly required: boolean;
  readonly purpose: string;
}

export interface FeatureReport {
  readonly features: readonly KernelFeature[];
  /** Whether eBPF capture can work here. */
  readonly ebpf: boolean;
  /** One sentence for the log and for readiness. */
  readonly summary: string;
}

const PROGRAM_SOCK_OPS = 13;
const PROGRAM_SOCK_ADDR = 18;
const PROGRAM_SOCKOPT = 25;
const PROGRAM_SK_LOOKUP = 30;
const MAP_LRU_HASH = 9;
const MAP_SOCKHASH = 18;
const MAP_SK_STORAGE = 24;
const HELPER_SETSOCKOPT = 49;
const HELPER_SOCK_HASH_UPDATE = 70;
const HELPER_SK_STORAGE_GET = 107;
const HELPER_NETNS_COOKIE = 122;
const HELPER_SK_ASSIGN = 124;

interface Probe extends Omit<KernelFeature, "present" | "refusal"> {
  readonly ask: (bpf: Libbpf) => boolean;
}

const program =
  (type: number) =>
  (bpf: Libbpf): boolean =>
    bpf.probeProgramType(type, null) === 1;
const map =
  (type: number) =>
  (bpf: Libbpf): boolean =>
    bpf.probeMapType(type, null) === 1;
const helper =
  (type: number, id: number) =>
  (bpf: Libbpf): boolean =>
    bpf.probeHelper(type, id, null) === 1;

const PROBES: readonly Probe[] = [
  {
    name: "cgroup version 2",
    since: "4.10",
    required: true,
    purpose: "where outbound programs attach",
    ask: () => findCgroup2Mount() !== undefined,
  },
  {
    name: "cgroup/connect programs",
    since: "4.17",
    required: true,
    purpose: "outbound capture",
    ask: program(PROGRAM_SOCK_ADDR),
  },
  {
    name: "cgroup/getsockopt programs",
    since: "5.3",
    required: true,
    purpose: "original destinations",
    ask: program(PROGRAM_SOCKOPT),
  },
  {
    name: "sock_ops programs",
    since: "4.13",
    required: true,
    purpose: "handing over destinations",
    ask: program(PROGRAM_SOCK_OPS),
  },
  {
    name: "sk_lookup programs",
    since: "5.9",
    required: true,
    purpose: "inbound capture",
    ask: program(PROGRAM_SK_LOOKUP),
  },
  {
    name: "LRU hash maps",
    since: "4.10",
    required: true,
    purpose: "handing over destinations",
    ask: map(MAP_LRU_HASH),
  },
  {
    name: "socket hash maps",
    since: "4.18",
    required: true,
    purpose: "ztunnel's listeners",
    ask: map(MAP_SOCKHASH),
  },
  {
    name: "socket storage maps",
    since: "5.2",
    required: true,
    purpose: "original destinations",
    ask: map(MAP_SK_STORAGE),
  },
  {
    name: "bpf_get_netns_cookie in cgroup/connect",
    since: "5.7",
    required: true,
    purpose: "telling pods apart",
    ask: helper(PROGRAM_SOCK_ADDR, HELPER_NETNS_COOKIE),
  },
  {
    name: "bpf_get_netns_cookie in sock_ops",
    since: "5.15",
    required: true,
    purpose: "telling pods apart",
    ask: helper(PROGRAM_SOCK_OPS, HELPER_NETNS_COOKIE),
  },
  {
    name: "bpf_get_netns_cookie in cgroup/getsockopt",
    since: "5.15",
    required: true,
    purpose: "telling pods apart",
    ask: helper(PROGRAM_SOCKOPT, HELPER_NETNS_COOKIE),
  },
  {
    name: "bpf_sk_storage_get in cgroup/connect",
    since: "5.8",
    required: true,
    purpose: "original destinations",
    ask: helper(PROGRAM_SOCK_ADDR, HELPER_SK_STORAGE_GET),
  },
  {
    name: "bpf_setsockopt in cgroup/connect",
    since: "5.8",
    required: true,
    purpose: "ztunnel's last hop",
    ask: helper(PROGRAM_SOCK_ADDR, HELPER_SETSOCKOPT),
  },
  {
    name: "bpf_sock_hash_update in sock_ops",
    since: "4.18",
    required: true,
    purpose: "ztunnel's listeners",
    ask: helper(PROGRAM_SOCK_OPS, HELPER_SOCK_HASH_UPDATE),
  },
  {
    name: "bpf_sk_assign in sk_lookup",
    since: "5.9",
    required: true,
    purpose: "inbound capture",
    ask: helper(PROGRAM_SK_LOOKUP, HELPER_SK_ASSIGN),
  },
  {
    name: "kernel type information (BTF)",
    since: "5.4",
    required: false,
    purpose: "finding ztunnel's listeners again after pins were lost",
    ask: () => existsSync("/sys/kernel/btf/vmlinux"),
  },
];

/** Each helper may be there and the programs be refused all the same: for a field, a rule of the verifier, a security module. */
const OBJECTS: readonly (Omit<KernelFeature, "present" | "refusal"> & { readonly object: CaptureObject })[] =
  [
    {
      object: "outbound",
      name: "acceptance of the outbound programs",
      since: "5.15",
      required: true,
      purpose: "outbound capture",
    },
    {
      object: "inbound",
      name: "acceptance of the inbound program, with ingress_ifindex in sk_lookup",
      since: "5.17",
      required: true,
      purpose: "inbound capture",
    },
    {
      object: "listeners",
      name: "acceptance of the TCP iterator",
      since: "5.10",
      required: false,
      purpose: "finding ztunnel's listeners again after pins were lost",
    },
  ];

/**
 * Asks the kernel, and loads every program once without attaching it. Takes some ten milliseconds and root; without libbpf every
 * feature counts as absent. `folder` holds the compiled objects.
 */
export function probeFeatures(folder: string = PROGRAM_FOLDER): FeatureReport {
  let bpf: Libbpf;
  try {
    bpf = libbpf();
  } catch (error) {
    const features = [
      ...PROBES.map(({ ask: _, ...feature }) => ({ ...feature, present: false })),
      ...OBJECTS.map(({ object: _, ...feature }) => ({ ...feature, present: false })),
    ];
    return { features, ebpf: false, summary: `eBPF capture is not possible: ${describeError(error)}` };
  }
  return reportOf([
    ...PROBES.map(({ ask, ...feature }) => ({ ...feature, present: ask(bpf) })),
    ...OBJECTS.map(({ object, ...feature }) => ({ ...feature, ...loads(object, folder) })),
  ]);
}

function loads(object: CaptureObject, folder: string): Pick<KernelFeature, "present" | "refusal"> {
  try {
    loadKernelObject(captureObject(object, folder)).close();
    return { present: true };
  } catch (error) {
    const said = verdict(error);
    return { present: false, refusal: `${describeError(error)}${said === "" ? "" : `: ${said}`}` };
  }
}

/** The verifier's complaint: its last line before the statistics. */
function verdict(error: unknown): string {
  const log = error instanceof MeshError ? error.details["verifier"] : undefined;
  const lines = typeof log === "string" ? log.trim().split("\n") : [];
  return lines.findLast((line) => !/^(processed|verification time|stack depth) /.test(line)) ?? "";
}

/** The judgement over what was found. */
export function reportOf(features: readonly KernelFeature[]): FeatureReport {
  const missing = features.filter((feature) => !feature.present);
  const fatal = missing.filter((feature) => feature.required);
  const list = (some: readonly KernelFeature[]): string =>
    some
      .map(
        ({ name, since, purpose, refusal }) =>
          `${name} (Linux ${since}, for ${purpose}${refusal === undefined ? "" : `; ${refusal}`})`,
      )
      .join(", ");
  if (fatal.length > 0)
    return {
      features,
      ebpf: false,
      summary: `eBPF capture is not possible: this kernel lacks ${list(fatal)}`,
    };
  const lesser = missing.length === 0 ? "" : `; missing, not needed for it: ${list(missing)}`;
  return { features, ebpf: true, summary: `eBPF capture is possible${lesser}` };
}
