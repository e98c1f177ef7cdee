{{- /*
The values that the templates of a chart read, as YAML: defaults, then profile, then platform, then what the user gave. Helm hands
defaults and the user's values over in one tree; keeping the defaults under a key of their own is what lets a profile come between.
Under `pilot`, `cni` and `ztunnel` the user may say what belongs to that chart, as in an IstioOperator. Refused values end it here.
*/ -}}
{{- define "meltemi.values" -}}
{{- $user := omit (deepCopy .Values) "_internal_defaults_do_not_set" -}}
{{- $global := default dict $user.global -}}
{{- $problems := list -}}
{{- $values := deepCopy .Values._internal_defaults_do_not_set -}}
{{- $own := get (dict "istiod" "pilot" "cni" "cni" "ztunnel" "ztunnel") .Chart.Name -}}
{{- $profile := coalesce $user.profile $global.profile -}}
{{- $platform := coalesce $user.platform $global.platform -}}
{{- range $name := list $profile (ternary (printf "platform-%s" $platform) "" (not (empty $platform))) -}}
{{- if and $name (ne $name "default") -}}
{{- with $.Files.Get (printf "files/profiles/%s.yaml" $name) -}}
{{- $overlay := fromYaml . -}}
{{- $values = mustMergeOverwrite $values $overlay -}}
{{- if $own -}}{{- $values = mustMergeOverwrite $values (deepCopy (default dict (get $overlay $own))) -}}{{- end -}}
{{- if eq $own "ztunnel" -}}{{- $values = mustMergeOverwrite $values (deepCopy (default dict $overlay.global)) -}}{{- end -}}
{{- else -}}
{{- $problems = append $problems (printf "%s: no such profile or platform" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq $own "ztunnel" -}}{{- $values = mustMergeOverwrite $values (deepCopy $global) -}}{{- end -}}
{{- $values = mustMergeOverwrite $values (deepCopy $user) -}}
{{- if $own -}}{{- $values = mustMergeOverwrite $values (deepCopy (default dict (get $user $own))) -}}{{- end -}}
{{- range $refusal := (fromYamlArray (.Files.Get "files/refused.yaml")) -}}
{{- range $path := $refusal.paths -}}
{{- $found := include "meltemi.at" (dict "tree" $values "path" $path) -}}
{{- $accepted := list "" -}}
{{- range $refusal.accept -}}{{- $accepted = append $accepted (toJson .) -}}{{- end -}}
{{- if not (has $found $accepted) -}}
{{- $problems = append $problems (printf "%s: %s is refused: %s" $path $found $refusal.why) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $problems -}}{{- fail (printf "these values cannot be installed:\n  %s" (join "\n  " $problems)) -}}{{- end -}}
{{- $_ := set $values "platform" (default "" $platform) -}}
{{- toYaml $values -}}
{{- end -}}

{{- /* What is at a dotted path, as JSON; nothing where nothing is. */ -}}
{{- define "meltemi.at" -}}
{{- $node := .tree -}}
{{- $found := true -}}
{{- range $key := splitList "." .path -}}
{{- if and $found (kindIs "map" $node) (hasKey $node $key) -}}{{- $node = get $node $key -}}{{- else -}}{{- $found = false -}}{{- end -}}
{{- end -}}
{{- if $found -}}{{- toJson $node -}}{{- end -}}
{{- end -}}

{{- /* Labels of every object. Those of the release and of the version are not on pods: a value that a pod does not see restarts none. */ -}}
{{- define "meltemi.labels" -}}
{{- $v := .values -}}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service | quote }}
app.kubernetes.io/name: {{ .name | quote }}
app.kubernetes.io/part-of: istio
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
install.operator.istio.io/owning-resource: {{ default "unknown" $v.ownerName | quote }}
istio.io/rev: {{ default "default" $v.revision | quote }}
operator.istio.io/component: {{ .component }}
{{- end -}}

{{- /* The revision is what istiod finds its webhooks by; it is to leave alone those of a server of the user's own. */ -}}
{{- define "meltemi.validatorLabels" -}}
{{- $labels := set .labels "istio.io/rev" (toString .revision) -}}
{{- if .base.validationCABundle -}}{{- $labels = omit $labels "istio.io/rev" -}}{{- end -}}
{{- toYaml $labels -}}
{{- end -}}

{{- /*
Environment of a container: fields of the pod, then settings, each overridden by the layers over it. Every name once, in the order of names:
server-side apply refuses a name that is there twice.
*/ -}}
{{- define "meltemi.env" -}}
{{- $all := deepCopy .settings -}}
{{- range $layer := .layers -}}
{{- range $name, $value := $layer -}}{{- $_ := set $all $name (toString $value) -}}{{- end -}}
{{- end -}}
{{- range $name, $path := .fields }}
{{- if not (hasKey $all $name) }}
- name: {{ $name }}
  valueFrom:
    fieldRef:
      apiVersion: v1
      fieldPath: {{ $path }}
{{- end }}
{{- end }}
{{- range $name, $value := $all }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- /* `hub/name:tag[-variant]`, or the image itself where it is given in full. */ -}}
{{- define "meltemi.image" -}}
{{- if contains "/" .name -}}
{{- .name -}}
{{- else -}}
{{- .hub -}}/{{- .name -}}:{{- .tag -}}{{- with .variant -}}-{{- . -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Requests and limits, without those that were set to null. */ -}}
{{- define "meltemi.resources" -}}
{{- $result := dict -}}
{{- range $kind := list "limits" "requests" -}}
{{- $amounts := dict -}}
{{- range $name, $amount := default dict (get $ $kind) -}}{{- if $amount -}}{{- $_ := set $amounts $name $amount -}}{{- end -}}{{- end -}}
{{- if $amounts -}}{{- $_ := set $result $kind $amounts -}}{{- end -}}
{{- end -}}
{{- toYaml $result -}}
{{- end -}}
