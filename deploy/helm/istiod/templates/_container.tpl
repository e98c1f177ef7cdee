{{- define "istiod.container" -}}
{{- $v := .values -}}
- name: discovery
  image: {{ include "meltemi.image" (dict "name" $v.image "hub" (default $v.global.hub $v.hub) "tag" (default $v.global.tag $v.tag) "variant" (default $v.global.variant $v.variant)) | quote }}
  {{- with $v.global.imagePullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  {{- with $v.terminationMessagePolicy }}
  terminationMessagePolicy: {{ . }}
  {{- end }}
  args:
    - discovery
    - --monitoringAddr=:15014
    - --domain={{ $v.global.proxy.clusterDomain }}
    {{- with $v.global.logging.level }}
    - --log_output_level={{ . }}
    {{- end }}
    {{- with $v.extraContainerArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - { name: http-debug, containerPort: 8080, protocol: TCP }
    - { name: tls-xds, containerPort: 15012, protocol: TCP }
    - { name: https-webhooks, containerPort: 15017, protocol: TCP }
    - { name: http-monitoring, containerPort: 15014, protocol: TCP }
  # Until the first answer, which a large cluster's first listing may delay, the other probes wait.
  startupProbe:
    httpGet:
      path: /ready
      port: 8080
    periodSeconds: 1
    timeoutSeconds: 5
    failureThreshold: 600
  readinessProbe:
    httpGet:
      path: /ready
      port: 8080
    periodSeconds: 3
    timeoutSeconds: 5
  # A process that no longer answers is started anew; one that is merely not ready is not.
  livenessProbe:
    tcpSocket:
      port: 8080
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  env:
    {{- $fields := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "SERVICE_ACCOUNT" "spec.serviceAccountName" }}
    {{- include "meltemi.env" (dict "settings" (include "istiod.settings" . | fromYaml) "fields" $fields "layers" (list $v.env)) | nindent 4 }}
    {{- with $v.envVarFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  resources:
    {{- include "meltemi.resources" $v.resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    {{- if ne $v.platform "openshift" }}
    # OpenShift gives every namespace numbers of its own.
    runAsUser: 1337
    runAsGroup: 1337
    {{- end }}
    capabilities:
      drop: [ALL]
    {{- with $v.seccompProfile }}
    seccompProfile:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  volumeMounts:
    - name: local-certs
      mountPath: /var/run/secrets/istio-dns
    {{- if $v.jwksResolverExtraRootCA }}
    - name: extracacerts
      mountPath: /cacerts
      readOnly: true
    {{- end }}
    {{- with $v.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* Resources and placement of waypoints as JSON, without what is empty. */ -}}
{{- define "istiod.waypointPod" -}}
{{- $pod := dict -}}
{{- range $field := list "affinity" "nodeSelector" "tolerations" "topologySpreadConstraints" -}}
{{- with get $ $field -}}{{- $_ := set $pod $field . -}}{{- end -}}
{{- end -}}
{{- $_ := set $pod "resources" .resources -}}
{{- toJson $pod -}}
{{- end -}}

{{- /* Settings of the control plane by variable. */ -}}
{{- define "istiod.settings" -}}
{{- $v := .values -}}
REVISION: {{ default "default" $v.revision | quote }}
CA_TRUSTED_NODE_ACCOUNTS: {{ printf "%s/%s" (default .root.Release.Namespace $v.trustedZtunnelNamespace) (default "ztunnel" $v.trustedZtunnelName) | quote }}
CLUSTER_ID: {{ default "Kubernetes" $v.global.multiCluster.clusterName | quote }}
LOG_FORMAT: {{ ternary "json" "plain" $v.global.logAsJson }}
WAYPOINT_IMAGE: {{ include "meltemi.image" (dict "name" $v.global.proxy.image "hub" $v.global.hub "tag" $v.global.tag "variant" $v.global.variant) | quote }}
WAYPOINT_POD: {{ include "istiod.waypointPod" $v.global.waypoint | quote }}
WAYPOINT_HIGH_AVAILABILITY: {{ $v.global.waypoint.highAvailability | quote }}
# As Envoy calls it.
WAYPOINT_LOG_LEVEL: {{ $v.global.proxy.logLevel | replace "warning" "warn" | quote }}
NETWORK: {{ $v.global.network | quote }}
{{- with $v.global.caAddress }}
CA_ADDR: {{ . | quote }}
{{- end }}
{{- if $v.jwksResolverExtraRootCA }}
NODE_EXTRA_CA_CERTS: /cacerts/extra.pem
{{- end }}
{{- if $v.taint.enabled }}
PILOT_ENABLE_NODE_UNTAINT_CONTROLLERS: "true"
CNI_NAMESPACE: {{ default .root.Release.Namespace $v.taint.namespace | quote }}
{{- end }}
{{- end -}}
