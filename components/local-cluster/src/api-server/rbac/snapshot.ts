/**
 * Who is granted what at one moment, indexed by subject: an attempt looks only at the bindings that name its user or one of its
 * groups, however many others there are. Immutable; a new one is made from the roles and bindings after any of them changed.
 */
import type { UserInfo } from "../identity/user.ts";
import { type Json, listAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import type { Stored } from "../store/object-store.ts";
import { type PolicyRule, rulesOf } from "./policy-rule.ts";

/** One binding, seen from one of its subjects. */
export interface Grant {
  readonly binding: Binding;
  /** `Group "system:masters"`, for the reason of a decision. */
  readonly subject: string;
}

export interface Binding {
  readonly kind: "ClusterRoleBinding" | "RoleBinding";
  /** Empty for ClusterRoleBindings. */
  readonly namespace: string;
  readonly name: string;
  readonly role: RoleReference;
}

export interface RoleReference {
  readonly kind: "ClusterRole" | "Role";
  readonly name: string;
}

type GrantsBySubject = ReadonlyMap<string, readonly Grant[]>;

export interface RbacSnapshot {
  /** The rules of a role; undefined when there is none. `namespace` counts for Roles. */
  rules(role: RoleReference, namespace: string): readonly PolicyRule[] | undefined;
  /** Bindings that speak for the user at the cluster scope, then those of the namespace when it is given. */
  grants(user: UserInfo, namespace: string): readonly Grant[];
}

export interface RbacObjects {
  readonly roles: readonly Stored[];
  readonly clusterRoles: readonly Stored[];
  readonly roleBindings: readonly Stored[];
  readonly clusterRoleBindings: readonly Stored[];
}

/**
 * Makes snapshots; what did not change since the last one is taken over. Lists are compared by identity, as the store keeps one
 * list until something in it changes.
 */
export function createSnapshots(): (objects: RbacObjects) => RbacSnapshot {
  const roles = remembered(indexRoles);
  const clusterRoles = remembered(indexRoles);
  const inNamespaces = remembered(indexByNamespace);
  const clusterWide = remembered((bindings: readonly Stored[]) => indexBindings(bindings));
  return (objects) =>
    snapshotOf({
      roles: roles(objects.roles),
      clusterRoles: clusterRoles(objects.clusterRoles),
      inNamespaces: inNamespaces(objects.roleBindings),
      clusterWide: clusterWide(objects.clusterRoleBindings),
    });
}

interface Indexes {
  readonly roles: ReadonlyMap<string, readonly PolicyRule[]>;
  readonly clusterRoles: ReadonlyMap<string, readonly PolicyRule[]>;
  readonly inNamespaces: (namespace: string) => GrantsBySubject | undefined;
  readonly clusterWide: GrantsBySubject;
}

function snapshotOf(indexes: Indexes): RbacSnapshot {
  return {
    rules: ({ kind, name }, namespace) =>
      kind === "ClusterRole"
        ? indexes.clusterRoles.get(`/${name}`)
        : indexes.roles.get(`${namespace}/${name}`),
    grants(user, namespace) {
      const keys = [`User ${user.username}`, ...user.groups.map((group) => `Group ${group}`)];
      const found = (grants: GrantsBySubject | undefined): readonly Grant[] =>
        grants === undefined ? [] : keys.flatMap((key) => grants.get(key) ?? []);
      const wide = found(indexes.clusterWide);
      return namespace === "" ? wide : [...wide, ...found(indexes.inNamespaces(namespace))];
    },
  };
}

function remembered<T>(index: (list: readonly Stored[]) => T): (list: readonly Stored[]) => T {
  let last: { readonly list: readonly Stored[]; readonly result: T } | undefined;
  return (list) => {
    if (last?.list !== list) last = { list, result: index(list) };
    return last.result;
  };
}

function indexRoles(roles: readonly Stored[]): ReadonlyMap<string, readonly PolicyRule[]> {
  return new Map(roles.map(({ namespace, name, object }) => [`${namespace}/${name}`, rulesOf(object)]));
}

/** A namespace is indexed when it is first asked about: most are not before the next change. */
function indexByNamespace(bindings: readonly Stored[]): (namespace: string) => GrantsBySubject | undefined {
  const byNamespace = Map.groupBy(bindings, ({ namespace }) => namespace);
  const indexed = new Map<string, GrantsBySubject>();
  return (namespace) => {
    const some = byNamespace.get(namespace);
    if (some === undefined) return undefined;
    const grants = indexed.get(namespace) ?? indexBindings(some);
    indexed.set(namespace, grants);
    return grants;
  };
}

function indexBindings(bindings: readonly Stored[]): GrantsBySubject {
  const grants = new Map<string, Grant[]>();
  for (const stored of bindings) {
    for (const { key, grant } of grantsOf(stored)) {
      const others = grants.get(key);
      if (others === undefined) grants.set(key, [grant]);
      else others.push(grant);
    }
  }
  return grants;
}

interface KeyedGrant {
  readonly key: string;
  readonly grant: Grant;
}

/** Objects never change: a binding is read once, however often the others around it do. */
const readBindings = new WeakMap<KubeObject, readonly KeyedGrant[]>();

function grantsOf(stored: Stored): readonly KeyedGrant[] {
  const known = readBindings.get(stored.object);
  if (known !== undefined) return known;
  const binding = bindingOf(stored);
  const grants = listAt(stored.object, "subjects").flatMap((subject): KeyedGrant[] => {
    const read = subjectOf(subject, stored.namespace);
    return read === undefined ? [] : [{ key: read.key, grant: { binding, subject: read.text } }];
  });
  readBindings.set(stored.object, grants);
  return grants;
}

function bindingOf({ namespace, name, object }: Stored): Binding {
  return {
    kind: namespace === "" ? "ClusterRoleBinding" : "RoleBinding",
    namespace,
    name,
    role: roleReference(object),
  };
}

/** What a binding object refers to. */
export function roleReference(binding: Json): RoleReference {
  return {
    kind: textAt(binding, "roleRef", "kind") === "Role" ? "Role" : "ClusterRole",
    name: textAt(binding, "roleRef", "name") ?? "",
  };
}

function subjectOf(subject: Json, ownNamespace: string): { key: string; text: string } | undefined {
  const name = textAt(subject, "name") ?? "";
  switch (textAt(subject, "kind")) {
    case "User":
      return { key: `User ${name}`, text: `User ${JSON.stringify(name)}` };
    case "Group":
      return { key: `Group ${name}`, text: `Group ${JSON.stringify(name)}` };
    case "ServiceAccount": {
      const namespace = textAt(subject, "namespace") ?? ownNamespace;
      if (namespace === "") return undefined;
      return {
        key: `User system:serviceaccount:${namespace}:${name}`,
        text: `ServiceAccount ${JSON.stringify(`${name}/${namespace}`)}`,
      };
    }
    default:
      return undefined;
  }
}
