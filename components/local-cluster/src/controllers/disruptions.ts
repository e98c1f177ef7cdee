/** The controller that keeps the status of every PodDisruptionBudget current. */

import {
  keyOf,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type Pod,
  REPLICA_SETS,
  type ReplicaSet,
  STATEFUL_SETS,
  type StatefulSet,
} from "@meltemi/kubernetes";
import {
  type ControllerContext,
  inNamespace,
  type RunningController,
  relation,
  startObjectController,
} from "./controller.ts";
import { covers, decideDisruptionBudget } from "./decide-disruption-budget.ts";

export function startDisruptionBudgets(context: ControllerContext): RunningController {
  const { world, clock } = context;
  const budgets = world.of(POD_DISRUPTION_BUDGETS);
  const pods = world.of(PODS);
  const replicaSets = world.of(REPLICA_SETS);
  const statefulSets = world.of(STATEFUL_SETS);
  const budgetsOf = (pod: Pod): readonly string[] =>
    inNamespace(budgets, pod)
      .filter((budget) => covers(budget, pod))
      .map(keyOf);
  const budgetsBeside = (set: ReplicaSet | StatefulSet): readonly string[] =>
    inNamespace(budgets, set).map(keyOf);
  return startObjectController(
    {
      name: "disruption",
      type: POD_DISRUPTION_BUDGETS,
      decide: (budget) =>
        decideDisruptionBudget({
          budget,
          pods: inNamespace(pods, budget),
          replicaSets: inNamespace(replicaSets, budget),
          statefulSets: inNamespace(statefulSets, budget),
          nowMs: clock.nowMs(),
        }),
      related: [
        relation(pods, budgetsOf),
        relation(replicaSets, budgetsBeside),
        relation(statefulSets, budgetsBeside),
      ],
    },
    context,
  );
}
