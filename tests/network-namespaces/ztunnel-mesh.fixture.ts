/**
 * A mesh on real namespaces: nodes with a ztunnel each, real capture, pods that hear of it over ZDS. Clients and servers of the pods
 * are sockets of this process, made inside the pods' namespaces. Only the control plane and the CA are played by the test.
 */

import { type Policy, policyKey, type Service, serviceKey, type Workload } from "@meltemi/model";
import {
  createNetnsLab,
  createTemporaryFolder,
  createTestAuthority,
  type NetnsLab,
  type TemporaryFolder,
  type TestAuthority,
} from "@meltemi/testkit";
import type { XdsUpdate } from "@meltemi/xds";
import { type MeshNode, type MeshOptions, SceneNode } from "./ztunnel-node.fixture.ts";

export interface Mesh extends AsyncDisposable {
  readonly authority: TestAuthority;
  readonly lab: NetnsLab;
  node(name: string): Promise<MeshNode>;
  /** What the control plane tells every ztunnel, those of later too. */
  put(...items: readonly (Workload | Service)[]): void;
  remove(...names: readonly string[]): void;
  putPolicy(policy: Policy): void;
  removePolicy(policy: Pick<Policy, "namespace" | "name">): void;
}

/** Removes what an earlier run left behind. */
export async function createMesh(options: MeshOptions): Promise<Mesh> {
  const lab = await createNetnsLab(options.name);
  const folder = await createTemporaryFolder(options.name);
  return new SceneMesh(options, lab, folder);
}

class SceneMesh implements Mesh {
  readonly authority = createTestAuthority();
  readonly lab: NetnsLab;
  readonly options: MeshOptions;
  readonly folder: TemporaryFolder;
  readonly #nodes: SceneNode[] = [];
  readonly #known = new Map<string, XdsUpdate>();

  constructor(options: MeshOptions, lab: NetnsLab, folder: TemporaryFolder) {
    this.options = options;
    this.lab = lab;
    this.folder = folder;
  }

  get known(): Iterable<XdsUpdate> {
    return this.#known.values();
  }

  async node(name: string): Promise<MeshNode> {
    const node = new SceneNode(this, name, await this.lab.node(name));
    this.#nodes.push(node);
    await node.start();
    return node;
  }

  put(...items: readonly (Workload | Service)[]): void {
    for (const item of items) {
      const isWorkload = "uid" in item;
      const name = isWorkload ? item.uid : serviceKey(item);
      const value = isWorkload
        ? ({ kind: "workload", workload: item } as const)
        : ({ kind: "service", service: item } as const);
      this.#tell(name, { kind: "address", upserts: [{ name, value }], removedNames: [] });
    }
  }

  remove(...names: readonly string[]): void {
    for (const name of names) this.#forget(name, { kind: "address", upserts: [], removedNames: [name] });
  }

  putPolicy(policy: Policy): void {
    const name = policyKey(policy);
    this.#tell(`policy ${name}`, {
      kind: "authorization",
      upserts: [{ name, value: policy }],
      removedNames: [],
    });
  }

  removePolicy(policy: Pick<Policy, "namespace" | "name">): void {
    const name = policyKey(policy);
    this.#forget(`policy ${name}`, { kind: "authorization", upserts: [], removedNames: [name] });
  }

  #tell(key: string, update: XdsUpdate): void {
    this.#known.set(key, update);
    for (const node of this.#nodes) node.send(update);
  }

  #forget(key: string, update: XdsUpdate): void {
    this.#known.delete(key);
    for (const node of this.#nodes) node.send(update);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
    await this.lab[Symbol.asyncDispose]();
    await this.folder[Symbol.asyncDispose]();
  }
}
