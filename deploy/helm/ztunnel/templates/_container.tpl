{{- define "ztunnel.container" -}}
- name: istio-proxy
  image: {{ include "meltemi.image" (dict "name" .image "hub" .hub "tag" .tag "variant" .variant) | quote }}
  {{- with .imagePullPolicy }}
  imagePullPolicy: {{ . }}
  {{- end }}
  args: [proxy, ztunnel]
  ports:
    - { name: ztunnel-stats, containerPort: 15020, protocol: TCP }
  readinessProbe:
    httpGet:
      path: /healthz/ready
      port: 15021
    periodSeconds: 1
  # A process that no longer answers is started anew; one that is merely not ready keeps its connections.
  livenessProbe:
    tcpSocket:
      port: 15021
    initialDelaySeconds: 10
    periodSeconds: 10
    timeoutSeconds: 5
    failureThreshold: 6
  securityContext:
    allowPrivilegeEscalation: true
    privileged: false
    # Its listeners are in the pods' namespaces (SYS_ADMIN), with marks and clients' addresses of their own (NET_ADMIN, NET_RAW).
    capabilities:
      drop: [ALL]
      add: [NET_ADMIN, SYS_ADMIN, NET_RAW]
    readOnlyRootFilesystem: true
    runAsGroup: 1337
    runAsNonRoot: false
    runAsUser: 0
    {{- with .seLinuxOptions }}
    seLinuxOptions:
      {{- toYaml . | nindent 6 }}
    {{- end }}
  env:
    {{- $fields := dict "INSTANCE_IP" "status.podIP" "NODE_NAME" "spec.nodeName" "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "SERVICE_ACCOUNT" "spec.serviceAccountName" }}
    {{- $layers := list .meshConfig.defaultConfig.proxyMetadata .env }}
    {{- include "meltemi.env" (dict "settings" (include "ztunnel.settings" . | fromYaml) "fields" $fields "layers" $layers) | nindent 4 }}
  resources:
    {{- include "meltemi.resources" .resources | nindent 4 }}
  volumeMounts:
    - name: istiod-ca-cert
      mountPath: /var/run/secrets/istio
    - name: istio-token
      mountPath: /var/run/secrets/tokens
    - name: cni-ztunnel-sock-dir
      mountPath: /var/run/ztunnel
    - name: tmp
      mountPath: /tmp
    {{- if .peerCaCrl.enabled }}
    - name: crl-volume
      mountPath: /var/run/secrets/istio/crl
      readOnly: true
    {{- end }}
    {{- with .volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- /* Settings of the proxy by variable. */ -}}
{{- define "ztunnel.settings" -}}
AUTH_TOKEN: /var/run/secrets/tokens/istio-token
CA_ADDRESS: {{ default (include "ztunnel.controlPlane" .) .caAddress | quote }}
CA_ROOT_CA: /var/run/secrets/istio/root-cert.pem
CLUSTER_DOMAIN: {{ .proxy.clusterDomain | quote }}
{{- if .peerCaCrl.enabled }}
CRL_PATH: /var/run/secrets/istio/crl/ca-crl.pem
{{- end }}
ISTIO_META_CLUSTER_ID: {{ default "Kubernetes" .multiCluster.clusterName | quote }}
ISTIO_META_ISTIO_VERSION: {{ .tag | toString | quote }}
LOG_FORMAT: {{ ternary "json" "plain" .logAsJson }}
# Memory of the proxy's runtime, measured with 10 000 idle connections: 19 KB each without these, 8 KB with them, and 12 MB less before the
# first one; CPU time per byte and per connection stays the same, since the data path makes hardly any garbage.
MALLOC_ARENA_MAX: "2"
NETWORK: {{ .network | quote }}
NODE_OPTIONS: --max-semi-space-size=4 --v8-pool-size=1
RUST_LOG: {{ .logLevel | quote }}
TERMINATION_GRACE_PERIOD_SECONDS: {{ .terminationGracePeriodSeconds | quote }}
TRUST_DOMAIN: {{ default "cluster.local" .meshConfig.trustDomain | quote }}
XDS_ADDRESS: {{ default (include "ztunnel.controlPlane" .) .xdsAddress | quote }}
XDS_ROOT_CA: /var/run/secrets/istio/root-cert.pem
{{- end -}}
