{{- define "base.labels" -}}
{{ include "meltemi.labels" (dict "root" .root "values" .values "name" .name "component" "Base") }}
{{- end -}}
{{- define "base.ofCluster" -}}{{ if ne .global.resourceScope "namespace" }}true{{ end }}{{- end -}}
{{- define "base.ofNamespace" -}}{{ if ne .global.resourceScope "cluster" }}true{{ end }}{{- end -}}

{{- /*
Whether a definition of Gateway API is somebody else's, who would lose it with this release, or had a newer version or another channel put over
ours: going back would take fields, and versions that objects are stored in.
*/ -}}
{{- define "base.isForeign" -}}
{{- $found := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" .metadata.name -}}
{{- $metadata := default dict $found.metadata -}}
{{- $theirs := default dict $metadata.annotations -}}
{{- $version := dig "gateway.networking.k8s.io/bundle-version" "" $theirs -}}
{{- $own := get .metadata.annotations "gateway.networking.k8s.io/bundle-version" -}}
{{- $channel := "gateway.networking.k8s.io/channel" -}}
{{- if not $found -}}
{{- else if not (hasKey (default dict $metadata.labels) "install.operator.istio.io/owning-resource") -}}true
{{- else if not $version -}}
{{- else if eq $version $own -}}{{- if ne (get $theirs $channel) (get .metadata.annotations $channel) -}}true{{- end -}}
{{- else if not (regexMatch "^v?[0-9]+[.][0-9]+" $version) -}}true
{{- else if gt ((semver $version).Compare (semver $own)) 0 -}}true
{{- end -}}
{{- end -}}
