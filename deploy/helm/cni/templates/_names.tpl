{{- define "cni.labels" -}}
{{ include "meltemi.labels" (dict "root" .root "values" .values "name" "istio-cni" "component" "Cni") }}
{{- end -}}
{{- define "cni.ofCluster" -}}{{ if ne .global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "cni.ofNamespace" -}}{{ if ne .global.resourceScope "cluster" }}true{{ end }}{{- end -}}

{{- /* Host folders the agent needs: name, path on the node, path in the container. */ -}}
{{- define "cni.folders" -}}
- { name: cni-bin-dir, host: {{ .cniBinDir | quote }}, container: /host/opt/cni/bin }
# Also written to: a pod's network settings, where the container's own /proc/sys is read-only.
- { name: cni-host-procfs, host: /proc, container: /host/proc }
- { name: cni-net-dir, host: {{ .cniConfDir | quote }}, container: /host/etc/cni/net.d }
- { name: cni-socket-dir, host: /var/run/istio-cni, container: /var/run/istio-cni, create: true }
- { name: cni-ztunnel-sock-dir, host: /var/run/ztunnel, container: /var/run/ztunnel, create: true }
# A runtime may mount it only when the first pod comes.
- { name: cni-netns-dir, host: {{ .cniNetnsDir | quote }}, container: /host/var/run/netns, create: true, propagate: true }
- { name: cgroup, host: /sys/fs/cgroup, container: /sys/fs/cgroup }
- { name: bpffs, host: /sys/fs/bpf, container: /sys/fs/bpf }
{{- end -}}

{{- /* `default:info` and `all:info` are Istio's ways to say `info`. */ -}}
{{- define "cni.logLevel" -}}
{{- regexReplaceAll "^(default|all):" (default .global.logging.level .logging.level) "" -}}
{{- end -}}
