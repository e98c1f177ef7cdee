/** Duties of one control plane among several. The names are Istio's where it has them: one of theirs in the cluster takes its turn like ours. */

import { type LeaderElectionOptions, runLeaderElection } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import type { ControlPlaneConfig, MeshConfig } from "./config.ts";
import type { RunDependencies, RunningControlPlane } from "./run.ts";
import { controlPlaneServices, istiodService } from "./service-names.ts";
import { runUntaint } from "./untaint/run-untaint.ts";
import { keepConfigurations } from "./validation/configuration-keeper.ts";
import type { ValidationMetrics } from "./validation/validation-metrics.ts";
import { runWaypointDeployer } from "./waypoint-deployer/deployer.ts";
import type { DeployerSettings } from "./waypoint-deployer/settings.ts";

/** Runs each duty whenever this control plane has its lease, until the signal fires; then gives the leases back. */
export async function runDuties(
  config: ControlPlaneConfig,
  mesh: MeshConfig,
  { controlPlane, authority }: RunningControlPlane,
  deps: RunDependencies & { readonly validationMetrics: ValidationMetrics },
  signal: AbortSignal,
): Promise<void> {
  const { revision, namespace } = config;
  const identity = `${config.podName}-${Math.floor(deps.random() * 0xffffffff).toString(16)}`;
  const log = deps.logger.scope("leader");
  const elect = async (name: string, duty: (term: AbortSignal) => Promise<void>): Promise<void> => {
    const lease: LeaderElectionOptions = { namespace, name, identity };
    try {
      await runLeaderElection(lease, { ...deps, log, lead: duty }, signal);
    } catch (error) {
      // The mesh goes on without its leader.
      log.error("leader election ended", { lease: name, reason: describeError(error) });
    }
  };
  const suffix = revision === "default" ? "" : `-${revision}`;
  const deployer = { ...deps, log: deps.logger.scope("waypoints"), watch: controlPlane.watch };
  const keeper = {
    ...deps,
    log: deps.logger.scope("validation"),
    metrics: deps.validationMetrics,
    onRootBundle: authority.onRootBundle,
  };
  const webhooks = { namespace, revision, services: controlPlaneServices(revision) };
  const { untaintNamespace } = config;
  const untaint = { ...deps, log: deps.logger.scope("untaint") };
  await Promise.all([
    config.writeStatus && elect(`istio-status-leader${suffix}`, (term) => controlPlane.runStatus(term)),
    elect(`istio-gateway-deployment-${revision}`, (term) =>
      runWaypointDeployer(deployerSettings(config, mesh), deployer, term),
    ),
    config.keepsValidationWebhook &&
      elect(`meltemi-validation-leader${suffix}`, (term) => keepConfigurations(webhooks, keeper, term)),
    untaintNamespace !== undefined &&
      elect("istio-node-untaint", (term) => runUntaint(untaintNamespace, untaint, term)),
  ]);
}

function deployerSettings(config: ControlPlaneConfig, mesh: MeshConfig): DeployerSettings {
  const { waypoints, namespace, revision, clusterDomain, clusterId, logFormat, revocationLists } = config;
  return {
    ...waypoints,
    revision,
    systemNamespace: namespace,
    clusterDomain,
    clusterId,
    trustDomain: mesh.trustDomain,
    controlPlaneAddress: waypoints.controlPlaneAddress ?? `${istiodService(revision)}.${namespace}.svc:15012`,
    logAsJson: logFormat === "json",
    revocationLists,
  };
}
