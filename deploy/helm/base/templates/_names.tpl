{{- define "base.labels" -}}
{{ include "meltemi.labels" (dict "root" .root "values" .values "name" .name "component" "Base") }}
{{- end -}}
{{- define "base.ofCluster" -}}{{ if ne .global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "base.ofNamespace" -}}{{ if ne .global.resourceScope "cluster" }}true{{ end }}{{- end -}}

{{- /* Whether a definition of Gateway API is somebody else's, who would lose it with this release. */ -}}
{{- define "base.isForeign" -}}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .name -}}
{{- $labels := default dict (default dict $found.metadata).labels -}}
{{- if and $found (not (hasKey $labels "install.operator.istio.io/owning-resource")) -}}true{{- end -}}
{{- end -}}
