/** Log levels by text; the control plane has them, too. */

export { applyLogClauses, changeLogLevels, parseLogClauses } from "@meltemi/runtime";
