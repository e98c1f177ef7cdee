{{- define "cni.container" -}}
{{- $v := .values -}}
- name: install-cni
  image: {{ include "meltemi.image" (dict "name" $v.image "hub" (default $v.global.hub $v.hub) "tag" (default $v.global.tag $v.tag) "variant" (default $v.global.variant $v.variant)) | quote }}
  {{- with default $v.global.imagePullPolicy $v.pullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args: [install-cni]
  ports:
    - { name: metrics, containerPort: 15014, protocol: TCP }
  readinessProbe:
    httpGet:
      path: /readyz
      port: 8000
    periodSeconds: 1
  livenessProbe:
    httpGet:
      path: /healthz
      port: 8000
    initialDelaySeconds: 10
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  securityContext:
    {{- if not $v.useAppArmorAnnotation }}
    appArmorProfile:
      type: Unconfined
    {{- end }}
    privileged: false
    runAsUser: 0
    runAsGroup: 0
    runAsNonRoot: false
    # Entering a pod's namespace (SYS_ADMIN), its rules (NET_ADMIN, NET_RAW), finding it in /proc (SYS_PTRACE, DAC_OVERRIDE), eBPF (BPF, PERFMON).
    capabilities:
      drop: [ALL]
      add: [NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN, DAC_OVERRIDE, BPF, PERFMON]
    {{- with $v.seLinuxOptions }}
    seLinuxOptions:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $v.seccompProfile }}
    seccompProfile:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  env:
    {{- $fields := dict "HOST_IP" "status.hostIP" "NODE_NAME" "spec.nodeName" "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" }}
    {{- include "meltemi.env" (dict "settings" (include "cni.settings" $v | fromYaml) "fields" $fields "layers" (list $v.env)) | nindent 4 }}
  resources:
    {{- include "meltemi.resources" $v.resources | nindent 4 }}
  volumeMounts:
    {{- range .folders }}
    - name: {{ .name }}
      mountPath: {{ .container }}
      {{- if .propagate }}
      mountPropagation: HostToContainer
      {{- end }}
    {{- end }}
{{- end -}}

{{- /* Settings of the agent by variable. */ -}}
{{- define "cni.settings" -}}
AMBIENT_DNS_CAPTURE: {{ .ambient.dnsCapture | quote }}
AMBIENT_IPV6: {{ .ambient.ipv6 | quote }}
CHAINED_CNI_PLUGIN: {{ .chained | quote }}
EXCLUDE_NAMESPACES: {{ prepend .excludeNamespaces .global.istioNamespace | uniq | join "," | quote }}
LOG_FORMAT: {{ ternary "json" "plain" .global.logAsJson }}
LOG_LEVEL: {{ include "cni.logLevel" . | quote }}
NATIVE_NFTABLES: {{ .global.nativeNftables | quote }}
{{- with .cniConfFileName }}
CNI_CONF_NAME: {{ . | quote }}
{{- end }}
{{- if .istioOwnedCNIConfig }}
ISTIO_OWNED_CNI_CONFIG: "true"
{{- with .istioOwnedCNIConfigFileName }}
ISTIO_OWNED_CNI_CONFIG_FILENAME: {{ . | quote }}
{{- end }}
{{- end }}
{{- end -}}
