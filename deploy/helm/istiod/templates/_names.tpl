{{- /* `istiod`, or `istiod-<revision>`. */ -}}
{{- define "istiod.name" -}}istiod{{- with .revision -}}-{{- . -}}{{- end -}}{{- end -}}

{{- /* A name of the whole cluster: one for each revision and namespace. */ -}}
{{- define "istiod.clusterName" -}}{{ .prefix }}{{- with .values.revision -}}-{{- . -}}{{- end -}}-{{ .root.Release.Namespace }}{{- end -}}

{{- /* Pods of this control plane, told apart from those of other revisions as Istio does. */ -}}
{{- define "istiod.selector" -}}
{{- if .revision -}}
app: istiod
istio.io/rev: {{ .revision | quote }}
{{- else -}}
istio: pilot
{{- end -}}
{{- end -}}

{{- define "istiod.labels" -}}
{{ include "meltemi.labels" (dict "root" .root "values" .values "name" "istiod" "component" "Pilot") }}
app: istiod
istio: pilot
{{- end -}}

{{- /* Ports of the Service. Tokens never cross the network in the clear: there is no 15010. */ -}}
{{- define "istiod.ports" -}}
- name: https-dns
  port: 15012
  protocol: TCP
  targetPort: 15012
- name: https-webhook
  port: 443
  protocol: TCP
  targetPort: 15017
- name: http-monitoring
  port: 15014
  protocol: TCP
  targetPort: 15014
{{- end -}}

{{- /* Which of the chart's objects are asked for: of the cluster, of the namespace. */ -}}
{{- define "istiod.ofCluster" -}}{{ if ne .global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "istiod.ofNamespace" -}}{{ if ne .global.resourceScope "cluster" }}true{{ end }}{{- end -}}

{{- /* More than one replica is wanted, whoever counts them. */ -}}
{{- define "istiod.floor" -}}
{{- if .autoscaleEnabled -}}{{ max (int .autoscaleMin) (int .replicaCount) }}{{- else -}}{{ int .replicaCount }}{{- end -}}
{{- end -}}
{{- /* What is rendered without a cluster knows its version better than what it serves: both must say so. */ -}}
{{- define "istiod.autoscales" -}}
{{- $capabilities := .root.Capabilities -}}
{{- if and .values.autoscaleEnabled ($capabilities.APIVersions.Has "autoscaling/v2") (semverCompare ">=1.23.0-0" $capabilities.KubeVersion.Version) -}}true{{- end -}}
{{- end -}}

{{- /* How waypoints' images are pulled, as overlays of their class: what a user's overlays say wins. */ -}}
{{- define "istiod.pulledClasses" -}}
{{- $spec := dict -}}
{{- $secrets := list -}}
{{- range .imagePullSecrets -}}{{- $secrets = append $secrets (dict "name" .) -}}{{- end -}}
{{- with $secrets -}}{{- $_ := set $spec "imagePullSecrets" . -}}{{- end -}}
{{- with .imagePullPolicy -}}{{- $_ := set $spec "containers" (list (dict "name" "istio-proxy" "imagePullPolicy" .)) -}}{{- end -}}
{{- $classes := dict -}}
{{- if $spec -}}{{- $classes = dict "istio-waypoint" (dict "deployment" (dict "spec" (dict "template" (dict "spec" $spec)))) -}}{{- end -}}
{{- toYaml $classes -}}
{{- end -}}
