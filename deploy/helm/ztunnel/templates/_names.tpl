{{- define "ztunnel.name" -}}{{ default "ztunnel" .resourceName }}{{- end -}}
{{- define "ztunnel.labels" -}}
{{ include "meltemi.labels" (dict "root" .root "values" .values "name" "ztunnel" "component" "Ztunnel") }}
app: ztunnel
{{- with .values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}
{{- define "ztunnel.ofCluster" -}}{{ if ne .resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "ztunnel.ofNamespace" -}}{{ if ne .resourceScope "cluster" }}true{{ end }}{{- end -}}
{{- define "ztunnel.controlPlane" -}}
istiod{{- with .revision -}}-{{- . -}}{{- end -}}.{{ .istioNamespace }}.svc:15012
{{- end -}}
