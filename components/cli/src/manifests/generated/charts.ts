// Made by tools/generate-charts.ts from deploy/helm: change it there.
import type { ChartFacts } from "../chart-facts.ts";
import type { Tree } from "../tree.ts";

export const CHARTS: Readonly<Record<"base" | "istiod" | "cni" | "ztunnel", ChartFacts>> = {
  "base": {
    "defaults": {
      "profile": "",
      "platform": "",
      "base": {
        "enableCRDTemplates": true,
        "enableIstioConfigCRDs": true,
        "excludedCRDs": [],
        "gatewayAPICRDs": "auto",
        "validationURL": "",
        "validationCABundle": "",
        "validationFailurePolicy": ""
      },
      "defaultRevision": "default",
      "revision": "",
      "ownerName": "",
      "global": {
        "istioNamespace": "istio-system",
        "imagePullSecrets": [],
        "resourceScope": "all",
        "enableReaderRBAC": true
      }
    },
    "refused": [
      {
        "paths": [
          "experimental.stableValidationPolicy"
        ],
        "accept": [
          false
        ],
        "why": "there is no admission policy that denies fields outside the stable API"
      },
      {
        "paths": [
          "compatibilityVersion"
        ],
        "accept": [
          ""
        ],
        "why": "no earlier behaviour is kept that it could bring back"
      }
    ],
    "rules": {},
    "schema": {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "title": "Values of chart base",
      "type": "object",
      "properties": {
        "profile": {
          "type": [
            "string",
            "number"
          ]
        },
        "platform": {
          "enum": [
            "",
            "gke",
            "k3d",
            "k3s",
            "microk8s",
            "minikube",
            "openshift"
          ]
        },
        "base": {
          "type": "object",
          "properties": {
            "enableCRDTemplates": {
              "type": "boolean"
            },
            "enableIstioConfigCRDs": {
              "type": "boolean"
            },
            "excludedCRDs": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "gatewayAPICRDs": {
              "enum": [
                "auto",
                "always",
                "never"
              ]
            },
            "validationURL": {
              "type": [
                "string",
                "number"
              ]
            },
            "validationCABundle": {
              "type": [
                "string",
                "number"
              ]
            },
            "validationFailurePolicy": {
              "enum": [
                "",
                "Fail",
                "Ignore"
              ]
            }
          },
          "additionalProperties": false
        },
        "defaultRevision": {
          "type": [
            "string",
            "number"
          ]
        },
        "revision": {
          "type": [
            "string",
            "integer"
          ],
          "minimum": 0,
          "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
        },
        "ownerName": {
          "type": [
            "string",
            "number"
          ]
        },
        "experimental": {
          "type": "object",
          "properties": {
            "stableValidationPolicy": {}
          },
          "additionalProperties": false
        },
        "compatibilityVersion": {},
        "global": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "istioNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullSecrets": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "resourceScope": {
              "enum": [
                "all",
                "cluster",
                "namespace"
              ]
            },
            "enableReaderRBAC": {
              "type": "boolean"
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "priorityClassName": {
              "type": [
                "string",
                "number"
              ]
            },
            "defaultPodDisruptionBudget": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "networkPolicy": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "configValidation": {
              "type": "boolean"
            },
            "logAsJson": {
              "type": "boolean"
            },
            "logging": {
              "type": "object",
              "properties": {
                "level": {
                  "type": "string",
                  "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
                }
              },
              "additionalProperties": false
            },
            "network": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshID": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshNetworks": {
              "type": "object"
            },
            "multiCluster": {
              "type": "object",
              "properties": {
                "clusterName": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "remotePilotAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "caAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "proxy": {
              "type": "object",
              "properties": {
                "image": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "clusterDomain": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "logLevel": {
                  "enum": [
                    "error",
                    "warning",
                    "warn",
                    "info",
                    "debug",
                    "trace",
                    "off"
                  ]
                },
                "resources": {},
                "autoInject": {},
                "includeIPRanges": {},
                "includeInboundPorts": {},
                "excludeIPRanges": {},
                "excludeInboundPorts": {},
                "includeOutboundPorts": {},
                "excludeOutboundPorts": {},
                "statusPort": {},
                "startupProbe": {},
                "readinessFailureThreshold": {},
                "readinessInitialDelaySeconds": {},
                "readinessPeriodSeconds": {},
                "privileged": {},
                "seccompProfile": {},
                "lifecycle": {},
                "componentLogLevel": {},
                "outlierLogPath": {},
                "tracer": {}
              },
              "additionalProperties": false
            },
            "waypoint": {
              "type": "object",
              "properties": {
                "resources": {
                  "type": "object",
                  "properties": {
                    "limits": {
                      "type": "object"
                    },
                    "requests": {
                      "type": "object"
                    }
                  },
                  "additionalProperties": false
                },
                "affinity": {
                  "type": "object"
                },
                "topologySpreadConstraints": {
                  "type": "array"
                },
                "nodeSelector": {
                  "type": "object"
                },
                "tolerations": {
                  "type": "array"
                },
                "highAvailability": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "nativeNftables": {
              "type": "boolean"
            },
            "omitSidecarInjectorConfigMap": {},
            "operatorManageWebhooks": {},
            "proxy_init": {},
            "defaultResources": {},
            "externalIstiod": {},
            "configCluster": {},
            "pilotCertProvider": {},
            "certSigners": {},
            "caName": {},
            "mountMtlsCerts": {},
            "istiod": {
              "type": "object",
              "properties": {
                "enableAnalysis": {}
              },
              "additionalProperties": false
            },
            "sts": {
              "type": "object",
              "properties": {
                "servicePort": {}
              },
              "additionalProperties": false
            },
            "sds": {
              "type": "object",
              "properties": {
                "token": {
                  "type": "object",
                  "properties": {
                    "aud": {}
                  },
                  "additionalProperties": false
                }
              },
              "additionalProperties": false
            },
            "trustBundleName": {}
          },
          "additionalProperties": false
        },
        "enabled": {
          "type": "boolean"
        },
        "_internal_defaults_do_not_set": {
          "type": "object"
        }
      },
      "additionalProperties": false
    }
  },
  "istiod": {
    "defaults": {
      "profile": "",
      "platform": "",
      "hub": "",
      "tag": "",
      "variant": "",
      "image": "pilot",
      "revision": "",
      "revisionTags": [],
      "ownerName": "",
      "autoscaleEnabled": true,
      "autoscaleMin": 1,
      "autoscaleMax": 5,
      "autoscaleBehavior": {},
      "cpu": {
        "targetAverageUtilization": 80
      },
      "memory": {},
      "replicaCount": 1,
      "rollingMaxSurge": "100%",
      "rollingMaxUnavailable": "25%",
      "pdb": {
        "minAvailable": 1,
        "unhealthyPodEvictionPolicy": ""
      },
      "resources": {
        "requests": {
          "cpu": "100m",
          "memory": "256Mi"
        }
      },
      "env": {},
      "envVarFrom": [],
      "extraContainerArgs": [],
      "initContainers": [],
      "volumes": [],
      "volumeMounts": [],
      "nodeSelector": {},
      "affinity": {},
      "tolerations": [],
      "topologySpreadConstraints": [],
      "deploymentLabels": {},
      "deploymentAnnotations": {},
      "podLabels": {},
      "podAnnotations": {},
      "serviceAnnotations": {},
      "serviceAccountAnnotations": {},
      "seccompProfile": {
        "type": "RuntimeDefault"
      },
      "terminationMessagePolicy": "",
      "ipFamilyPolicy": "",
      "ipFamilies": [],
      "trafficDistribution": "",
      "credentialNamespaces": [],
      "jwksResolverExtraRootCA": "",
      "trustedZtunnelNamespace": "",
      "trustedZtunnelName": "",
      "taint": {
        "enabled": false,
        "namespace": ""
      },
      "traceSampling": 1,
      "configMap": true,
      "meshConfig": {
        "trustDomain": "cluster.local"
      },
      "istiodRemote": {
        "enabled": false
      },
      "gatewayClasses": {},
      "base": {
        "validationURL": "",
        "validationCABundle": "",
        "validationFailurePolicy": ""
      },
      "global": {
        "hub": "docker.io/meltemi",
        "tag": "0.1.0",
        "variant": "",
        "imagePullPolicy": "",
        "imagePullSecrets": [],
        "istioNamespace": "istio-system",
        "resourceScope": "all",
        "enableReaderRBAC": true,
        "priorityClassName": "",
        "defaultPodDisruptionBudget": {
          "enabled": true
        },
        "networkPolicy": {
          "enabled": false
        },
        "configValidation": true,
        "logAsJson": false,
        "logging": {
          "level": "default:info"
        },
        "network": "",
        "meshID": "",
        "meshNetworks": {},
        "multiCluster": {
          "clusterName": ""
        },
        "remotePilotAddress": "",
        "caAddress": "",
        "proxy": {
          "image": "proxyv2",
          "clusterDomain": "cluster.local",
          "logLevel": "info"
        },
        "waypoint": {
          "resources": {
            "requests": {
              "cpu": "100m",
              "memory": "128Mi"
            },
            "limits": {
              "cpu": "2",
              "memory": "1Gi"
            }
          },
          "affinity": {},
          "topologySpreadConstraints": [],
          "nodeSelector": {},
          "tolerations": [],
          "highAvailability": false
        }
      }
    },
    "refused": [
      {
        "paths": [
          "compatibilityVersion"
        ],
        "accept": [
          ""
        ],
        "why": "no earlier behaviour is kept that it could bring back"
      },
      {
        "paths": [
          "experimental.stableValidationPolicy"
        ],
        "accept": [
          false
        ],
        "why": "there is no admission policy that denies fields outside the stable API"
      },
      {
        "paths": [
          "sidecarInjectorWebhook.neverInjectSelector",
          "sidecarInjectorWebhook.alwaysInjectSelector",
          "sidecarInjectorWebhook.defaultTemplates"
        ],
        "accept": [
          []
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "sidecarInjectorWebhook.injectedAnnotations",
          "sidecarInjectorWebhook.templates",
          "sidecarInjectorWebhookAnnotations"
        ],
        "accept": [
          {}
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "sidecarInjectorWebhook.enableNamespacesByDefault",
          "istiodRemote.enabledLocalInjectorIstiod"
        ],
        "accept": [
          false
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "sidecarInjectorWebhook.rewriteAppHTTPProbe"
        ],
        "accept": [
          true,
          false
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "sidecarInjectorWebhook.reinvocationPolicy"
        ],
        "accept": [
          "Never",
          "IfNeeded"
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "istiodRemote.injectionURL",
          "istiodRemote.injectionCABundle"
        ],
        "accept": [
          ""
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "istiodRemote.injectionPath"
        ],
        "accept": [
          "/inject"
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "global.omitSidecarInjectorConfigMap"
        ],
        "accept": [
          true,
          false
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "global.operatorManageWebhooks"
        ],
        "accept": [
          false
        ],
        "why": "the control plane itself keeps its webhook up to date"
      },
      {
        "paths": [
          "global.proxy.resources"
        ],
        "accept": [
          {
            "requests": {
              "cpu": "100m",
              "memory": "128Mi"
            },
            "limits": {
              "cpu": "2000m",
              "memory": "1024Mi"
            }
          }
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy_init"
        ],
        "accept": [
          {
            "image": "proxyv2",
            "forceApplyIptables": false
          }
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.autoInject"
        ],
        "accept": [
          "enabled",
          "disabled"
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.includeIPRanges",
          "global.proxy.includeInboundPorts"
        ],
        "accept": [
          "*"
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.excludeIPRanges",
          "global.proxy.excludeInboundPorts",
          "global.proxy.includeOutboundPorts",
          "global.proxy.excludeOutboundPorts"
        ],
        "accept": [
          ""
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.statusPort"
        ],
        "accept": [
          15020
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.startupProbe"
        ],
        "accept": [
          {
            "enabled": true,
            "failureThreshold": 600
          },
          {
            "enabled": false
          }
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.readinessFailureThreshold",
          "global.proxy.readinessInitialDelaySeconds",
          "global.proxy.readinessPeriodSeconds"
        ],
        "accept": [
          4,
          0,
          15
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.privileged"
        ],
        "accept": [
          false
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "global.proxy.seccompProfile",
          "global.proxy.lifecycle"
        ],
        "accept": [
          {}
        ],
        "why": "it is of sidecars, which are not injected; waypoints take global.waypoint"
      },
      {
        "paths": [
          "cni.enabled"
        ],
        "accept": [
          true,
          false
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "cni.provider"
        ],
        "accept": [
          "default",
          "multus"
        ],
        "why": "sidecars are not injected"
      },
      {
        "paths": [
          "global.defaultResources"
        ],
        "accept": [
          {
            "requests": {
              "cpu": "10m"
            }
          },
          {
            "requests": {
              "cpu": "100m",
              "memory": "100Mi"
            }
          }
        ],
        "why": "every chart has resources of its own"
      },
      {
        "paths": [
          "base.enableIstioConfigCRDs"
        ],
        "accept": [
          true,
          false
        ],
        "why": "it is read by chart base"
      },
      {
        "paths": [
          "global.proxy.componentLogLevel",
          "global.proxy.outlierLogPath"
        ],
        "accept": [
          "",
          "misc:error"
        ],
        "why": "it is a flag of Envoy; use global.proxy.logLevel"
      },
      {
        "paths": [
          "global.proxy.tracer"
        ],
        "accept": [
          "none",
          "zipkin"
        ],
        "why": "tracers are meshConfig.extensionProviders and Telemetry objects"
      },
      {
        "paths": [
          "global.externalIstiod",
          "global.configCluster"
        ],
        "accept": [
          false
        ],
        "why": "the control plane serves the cluster that it runs in"
      },
      {
        "paths": [
          "global.pilotCertProvider"
        ],
        "accept": [
          "istiod"
        ],
        "why": "certificates are the control plane's own, or those of Secret cacerts"
      },
      {
        "paths": [
          "global.certSigners"
        ],
        "accept": [
          []
        ],
        "why": "certificates are the control plane's own, or those of Secret cacerts"
      },
      {
        "paths": [
          "global.caName"
        ],
        "accept": [
          "",
          "Citadel"
        ],
        "why": "certificates are the control plane's own, or those of Secret cacerts"
      },
      {
        "paths": [
          "global.mountMtlsCerts",
          "global.istiod.enableAnalysis"
        ],
        "accept": [
          false
        ],
        "why": "there is no such feature; use istioctl analyze"
      },
      {
        "paths": [
          "global.sts.servicePort"
        ],
        "accept": [
          0
        ],
        "why": "there is no token exchange server"
      },
      {
        "paths": [
          "global.sds.token.aud"
        ],
        "accept": [
          "istio-ca"
        ],
        "why": "waypoints and ztunnel ask for tokens of audience istio-ca"
      },
      {
        "paths": [
          "global.nativeNftables"
        ],
        "accept": [
          true,
          false
        ],
        "why": "it is read by chart cni"
      },
      {
        "paths": [
          "keepaliveMaxServerConnectionAge"
        ],
        "accept": [
          "30m"
        ],
        "why": "connections of clients are not cut by age"
      },
      {
        "paths": [
          "taint.name"
        ],
        "accept": [
          "cni.istio.io/not-ready"
        ],
        "why": "the taint that is taken from nodes has this name"
      },
      {
        "paths": [
          "telemetry.v2.stackdriver.enabled"
        ],
        "accept": [
          false
        ],
        "why": "use a provider of meshConfig.extensionProviders"
      },
      {
        "paths": [
          "telemetry.enabled",
          "telemetry.v2.enabled",
          "telemetry.v2.prometheus.enabled"
        ],
        "accept": [
          true
        ],
        "why": "metrics are always served; a Telemetry object disables those of waypoints"
      },
      {
        "paths": [
          "gateways.securityContext",
          "gateways.seccompProfile"
        ],
        "accept": [
          {}
        ],
        "why": "use gatewayClasses.<class>.deployment"
      },
      {
        "paths": [
          "global.trustBundleName",
          "crlConfigMapName"
        ],
        "accept": [
          "",
          "istio-ca-root-cert",
          "istio-ca-crl"
        ],
        "why": "the names istio-ca-root-cert and istio-ca-crl are fixed"
      }
    ],
    "rules": {
      "cluster": [
        {
          "apiGroups": [
            "security.istio.io",
            "networking.istio.io",
            "telemetry.istio.io",
            "extensions.istio.io",
            "gateway.networking.k8s.io",
            "meltemi.io"
          ],
          "resources": [
            "*"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "security.istio.io"
          ],
          "resources": [
            "authorizationpolicies/status",
            "requestauthentications/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "networking.istio.io"
          ],
          "resources": [
            "destinationrules/status",
            "serviceentries/status",
            "virtualservices/status",
            "workloadentries/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "telemetry.istio.io"
          ],
          "resources": [
            "telemetries/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "meltemi.io"
          ],
          "resources": [
            "ratelimitpolicies/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "gateway.networking.k8s.io"
          ],
          "resources": [
            "gatewayclasses/status",
            "gateways/status",
            "grpcroutes/status",
            "httproutes/status",
            "tcproutes/status",
            "tlsroutes/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "services/status"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "gateway.networking.k8s.io"
          ],
          "resources": [
            "gateways"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "gateway.networking.k8s.io"
          ],
          "resources": [
            "gatewayclasses"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "pods",
            "nodes",
            "services",
            "namespaces"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "discovery.k8s.io"
          ],
          "resources": [
            "endpointslices"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps"
          ],
          "resourceNames": [
            "istio-ca-root-cert",
            "istio-ca-crl"
          ],
          "verbs": [
            "patch"
          ]
        },
        {
          "apiGroups": [
            "authentication.k8s.io"
          ],
          "resources": [
            "tokenreviews"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            "admissionregistration.k8s.io"
          ],
          "resources": [
            "validatingwebhookconfigurations"
          ],
          "verbs": [
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "admissionregistration.k8s.io"
          ],
          "resources": [
            "validatingwebhookconfigurations"
          ],
          "resourceNames": [
            "istiod-default-validator",
            "$(VALIDATOR)"
          ],
          "verbs": [
            "update"
          ]
        }
      ],
      "credentials": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "secrets"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        }
      ],
      "gateway-controller": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "services",
            "serviceaccounts"
          ],
          "verbs": [
            "get",
            "list",
            "watch",
            "create",
            "patch"
          ]
        },
        {
          "apiGroups": [
            "apps"
          ],
          "resources": [
            "deployments"
          ],
          "verbs": [
            "get",
            "list",
            "watch",
            "create",
            "patch"
          ]
        },
        {
          "apiGroups": [
            "autoscaling"
          ],
          "resources": [
            "horizontalpodautoscalers"
          ],
          "verbs": [
            "get",
            "list",
            "watch",
            "create",
            "patch",
            "delete"
          ]
        },
        {
          "apiGroups": [
            "policy"
          ],
          "resources": [
            "poddisruptionbudgets"
          ],
          "verbs": [
            "get",
            "list",
            "watch",
            "create",
            "patch",
            "delete"
          ]
        }
      ],
      "namespace": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "secrets"
          ],
          "resourceNames": [
            "cacerts",
            "istio-ca-secret"
          ],
          "verbs": [
            "list",
            "watch",
            "update"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "secrets"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            "coordination.k8s.io"
          ],
          "resources": [
            "leases"
          ],
          "verbs": [
            "get",
            "create",
            "update"
          ]
        },
        {
          "apiGroups": [
            "networking.istio.io"
          ],
          "resources": [
            "gateways"
          ],
          "verbs": [
            "create"
          ]
        }
      ],
      "reader-remote": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps"
          ],
          "resourceNames": [
            "istio-ca-root-cert",
            "istio-ca-crl"
          ],
          "verbs": [
            "patch"
          ]
        }
      ],
      "reader": [
        {
          "apiGroups": [
            "security.istio.io",
            "networking.istio.io",
            "telemetry.istio.io",
            "extensions.istio.io",
            "meltemi.io"
          ],
          "resources": [
            "*"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "gateway.networking.k8s.io"
          ],
          "resources": [
            "gatewayclasses",
            "gateways"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "configmaps",
            "endpoints",
            "namespaces",
            "nodes",
            "pods",
            "services"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "discovery.k8s.io"
          ],
          "resources": [
            "endpointslices"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "apps"
          ],
          "resources": [
            "replicasets"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "apiextensions.k8s.io"
          ],
          "resources": [
            "customresourcedefinitions"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        },
        {
          "apiGroups": [
            "authentication.k8s.io"
          ],
          "resources": [
            "tokenreviews"
          ],
          "verbs": [
            "create"
          ]
        },
        {
          "apiGroups": [
            "authorization.k8s.io"
          ],
          "resources": [
            "subjectaccessreviews"
          ],
          "verbs": [
            "create"
          ]
        }
      ],
      "untaint": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "nodes"
          ],
          "verbs": [
            "patch"
          ]
        }
      ]
    },
    "schema": {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "title": "Values of chart istiod",
      "type": "object",
      "properties": {
        "profile": {
          "type": [
            "string",
            "number"
          ]
        },
        "platform": {
          "enum": [
            "",
            "gke",
            "k3d",
            "k3s",
            "microk8s",
            "minikube",
            "openshift"
          ]
        },
        "hub": {
          "type": [
            "string",
            "number"
          ]
        },
        "tag": {
          "type": [
            "string",
            "number"
          ]
        },
        "variant": {
          "type": [
            "string",
            "number"
          ]
        },
        "image": {
          "type": [
            "string",
            "number"
          ]
        },
        "revision": {
          "type": [
            "string",
            "integer"
          ],
          "minimum": 0,
          "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
        },
        "revisionTags": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "ownerName": {
          "type": [
            "string",
            "number"
          ]
        },
        "autoscaleEnabled": {
          "type": "boolean"
        },
        "autoscaleMin": {
          "type": "integer",
          "minimum": 1
        },
        "autoscaleMax": {
          "type": "integer",
          "minimum": 1
        },
        "autoscaleBehavior": {
          "type": "object"
        },
        "cpu": {
          "type": "object",
          "properties": {
            "targetAverageUtilization": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "memory": {
          "type": "object",
          "properties": {
            "targetAverageUtilization": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "replicaCount": {
          "type": "integer",
          "minimum": 1
        },
        "rollingMaxSurge": {
          "type": [
            "string",
            "integer"
          ]
        },
        "rollingMaxUnavailable": {
          "type": [
            "string",
            "integer"
          ]
        },
        "pdb": {
          "type": "object",
          "properties": {
            "minAvailable": {
              "type": [
                "string",
                "integer"
              ]
            },
            "maxUnavailable": {
              "type": [
                "string",
                "integer"
              ]
            },
            "unhealthyPodEvictionPolicy": {
              "enum": [
                "",
                "IfHealthyBudget",
                "AlwaysAllow"
              ]
            }
          },
          "additionalProperties": false
        },
        "resources": {
          "type": "object",
          "properties": {
            "limits": {
              "type": "object"
            },
            "requests": {
              "type": "object"
            }
          },
          "additionalProperties": false
        },
        "env": {
          "type": "object",
          "additionalProperties": {
            "type": [
              "string",
              "number",
              "boolean"
            ]
          }
        },
        "envVarFrom": {
          "type": "array"
        },
        "extraContainerArgs": {
          "type": "array"
        },
        "initContainers": {
          "type": "array"
        },
        "volumes": {
          "type": "array"
        },
        "volumeMounts": {
          "type": "array"
        },
        "nodeSelector": {
          "type": "object"
        },
        "affinity": {
          "type": "object"
        },
        "tolerations": {
          "type": "array"
        },
        "topologySpreadConstraints": {
          "type": "array"
        },
        "deploymentLabels": {
          "type": "object"
        },
        "deploymentAnnotations": {
          "type": "object"
        },
        "podLabels": {
          "type": "object"
        },
        "podAnnotations": {
          "type": "object"
        },
        "serviceAnnotations": {
          "type": "object"
        },
        "serviceAccountAnnotations": {
          "type": "object"
        },
        "seccompProfile": {
          "type": "object"
        },
        "terminationMessagePolicy": {
          "type": [
            "string",
            "number"
          ]
        },
        "ipFamilyPolicy": {
          "enum": [
            "",
            "SingleStack",
            "PreferDualStack",
            "RequireDualStack"
          ]
        },
        "ipFamilies": {
          "type": "array",
          "items": {
            "enum": [
              "IPv4",
              "IPv6"
            ]
          }
        },
        "trafficDistribution": {
          "type": [
            "string",
            "number"
          ]
        },
        "credentialNamespaces": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "jwksResolverExtraRootCA": {
          "type": [
            "string",
            "number"
          ]
        },
        "trustedZtunnelNamespace": {
          "type": [
            "string",
            "number"
          ]
        },
        "trustedZtunnelName": {
          "type": [
            "string",
            "number"
          ]
        },
        "taint": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            },
            "namespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "name": {}
          },
          "additionalProperties": false
        },
        "traceSampling": {
          "type": [
            "number",
            "string"
          ],
          "pattern": "^[0-9]{1,3}(\\.[0-9]{1,6})?$",
          "minimum": 0,
          "maximum": 100
        },
        "configMap": {
          "type": "boolean"
        },
        "meshConfig": {
          "type": "object",
          "properties": {
            "trustDomain": {
              "type": "string"
            },
            "defaultConfig": {
              "type": "object"
            }
          }
        },
        "istiodRemote": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            },
            "enabledLocalInjectorIstiod": {},
            "injectionURL": {},
            "injectionCABundle": {},
            "injectionPath": {}
          },
          "additionalProperties": false
        },
        "gatewayClasses": {
          "type": "object",
          "additionalProperties": {
            "type": "object",
            "properties": {
              "deployment": {
                "type": "object"
              },
              "service": {
                "type": "object"
              },
              "serviceAccount": {
                "type": "object"
              },
              "horizontalPodAutoscaler": {
                "type": "object"
              },
              "podDisruptionBudget": {
                "type": "object"
              }
            },
            "additionalProperties": false
          }
        },
        "base": {
          "type": "object",
          "properties": {
            "validationURL": {
              "type": [
                "string",
                "number"
              ]
            },
            "validationCABundle": {
              "type": [
                "string",
                "number"
              ]
            },
            "validationFailurePolicy": {
              "enum": [
                "",
                "Fail",
                "Ignore"
              ]
            },
            "enableIstioConfigCRDs": {}
          },
          "additionalProperties": false
        },
        "compatibilityVersion": {},
        "experimental": {
          "type": "object",
          "properties": {
            "stableValidationPolicy": {}
          },
          "additionalProperties": false
        },
        "sidecarInjectorWebhook": {
          "type": "object",
          "properties": {
            "neverInjectSelector": {},
            "alwaysInjectSelector": {},
            "defaultTemplates": {},
            "injectedAnnotations": {},
            "templates": {},
            "enableNamespacesByDefault": {},
            "rewriteAppHTTPProbe": {},
            "reinvocationPolicy": {}
          },
          "additionalProperties": false
        },
        "sidecarInjectorWebhookAnnotations": {},
        "cni": {
          "type": "object",
          "properties": {
            "enabled": {},
            "provider": {}
          },
          "additionalProperties": false
        },
        "keepaliveMaxServerConnectionAge": {},
        "telemetry": {
          "type": "object",
          "properties": {
            "v2": {
              "type": "object",
              "properties": {
                "stackdriver": {
                  "type": "object",
                  "properties": {
                    "enabled": {}
                  },
                  "additionalProperties": false
                },
                "enabled": {},
                "prometheus": {
                  "type": "object",
                  "properties": {
                    "enabled": {}
                  },
                  "additionalProperties": false
                }
              },
              "additionalProperties": false
            },
            "enabled": {}
          },
          "additionalProperties": false
        },
        "gateways": {
          "type": "object",
          "properties": {
            "securityContext": {},
            "seccompProfile": {}
          },
          "additionalProperties": false
        },
        "crlConfigMapName": {},
        "global": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "istioNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullSecrets": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "resourceScope": {
              "enum": [
                "all",
                "cluster",
                "namespace"
              ]
            },
            "enableReaderRBAC": {
              "type": "boolean"
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "priorityClassName": {
              "type": [
                "string",
                "number"
              ]
            },
            "defaultPodDisruptionBudget": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "networkPolicy": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "configValidation": {
              "type": "boolean"
            },
            "logAsJson": {
              "type": "boolean"
            },
            "logging": {
              "type": "object",
              "properties": {
                "level": {
                  "type": "string",
                  "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
                }
              },
              "additionalProperties": false
            },
            "network": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshID": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshNetworks": {
              "type": "object"
            },
            "multiCluster": {
              "type": "object",
              "properties": {
                "clusterName": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "remotePilotAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "caAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "proxy": {
              "type": "object",
              "properties": {
                "image": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "clusterDomain": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "logLevel": {
                  "enum": [
                    "error",
                    "warning",
                    "warn",
                    "info",
                    "debug",
                    "trace",
                    "off"
                  ]
                },
                "resources": {},
                "autoInject": {},
                "includeIPRanges": {},
                "includeInboundPorts": {},
                "excludeIPRanges": {},
                "excludeInboundPorts": {},
                "includeOutboundPorts": {},
                "excludeOutboundPorts": {},
                "statusPort": {},
                "startupProbe": {},
                "readinessFailureThreshold": {},
                "readinessInitialDelaySeconds": {},
                "readinessPeriodSeconds": {},
                "privileged": {},
                "seccompProfile": {},
                "lifecycle": {},
                "componentLogLevel": {},
                "outlierLogPath": {},
                "tracer": {}
              },
              "additionalProperties": false
            },
            "waypoint": {
              "type": "object",
              "properties": {
                "resources": {
                  "type": "object",
                  "properties": {
                    "limits": {
                      "type": "object"
                    },
                    "requests": {
                      "type": "object"
                    }
                  },
                  "additionalProperties": false
                },
                "affinity": {
                  "type": "object"
                },
                "topologySpreadConstraints": {
                  "type": "array"
                },
                "nodeSelector": {
                  "type": "object"
                },
                "tolerations": {
                  "type": "array"
                },
                "highAvailability": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "nativeNftables": {
              "type": "boolean"
            },
            "omitSidecarInjectorConfigMap": {},
            "operatorManageWebhooks": {},
            "proxy_init": {},
            "defaultResources": {},
            "externalIstiod": {},
            "configCluster": {},
            "pilotCertProvider": {},
            "certSigners": {},
            "caName": {},
            "mountMtlsCerts": {},
            "istiod": {
              "type": "object",
              "properties": {
                "enableAnalysis": {}
              },
              "additionalProperties": false
            },
            "sts": {
              "type": "object",
              "properties": {
                "servicePort": {}
              },
              "additionalProperties": false
            },
            "sds": {
              "type": "object",
              "properties": {
                "token": {
                  "type": "object",
                  "properties": {
                    "aud": {}
                  },
                  "additionalProperties": false
                }
              },
              "additionalProperties": false
            },
            "trustBundleName": {}
          },
          "additionalProperties": false
        },
        "pilot": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "image": {
              "type": [
                "string",
                "number"
              ]
            },
            "revision": {
              "type": [
                "string",
                "integer"
              ],
              "minimum": 0,
              "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
            },
            "revisionTags": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "ownerName": {
              "type": [
                "string",
                "number"
              ]
            },
            "autoscaleEnabled": {
              "type": "boolean"
            },
            "autoscaleMin": {
              "type": "integer",
              "minimum": 1
            },
            "autoscaleMax": {
              "type": "integer",
              "minimum": 1
            },
            "autoscaleBehavior": {
              "type": "object"
            },
            "cpu": {
              "type": "object",
              "properties": {
                "targetAverageUtilization": {
                  "type": "integer",
                  "minimum": 1
                }
              },
              "additionalProperties": false
            },
            "memory": {
              "type": "object",
              "properties": {
                "targetAverageUtilization": {
                  "type": "integer",
                  "minimum": 1
                }
              },
              "additionalProperties": false
            },
            "replicaCount": {
              "type": "integer",
              "minimum": 1
            },
            "rollingMaxSurge": {
              "type": [
                "string",
                "integer"
              ]
            },
            "rollingMaxUnavailable": {
              "type": [
                "string",
                "integer"
              ]
            },
            "pdb": {
              "type": "object",
              "properties": {
                "minAvailable": {
                  "type": [
                    "string",
                    "integer"
                  ]
                },
                "maxUnavailable": {
                  "type": [
                    "string",
                    "integer"
                  ]
                },
                "unhealthyPodEvictionPolicy": {
                  "enum": [
                    "",
                    "IfHealthyBudget",
                    "AlwaysAllow"
                  ]
                }
              },
              "additionalProperties": false
            },
            "resources": {
              "type": "object",
              "properties": {
                "limits": {
                  "type": "object"
                },
                "requests": {
                  "type": "object"
                }
              },
              "additionalProperties": false
            },
            "env": {
              "type": "object",
              "additionalProperties": {
                "type": [
                  "string",
                  "number",
                  "boolean"
                ]
              }
            },
            "envVarFrom": {
              "type": "array"
            },
            "extraContainerArgs": {
              "type": "array"
            },
            "initContainers": {
              "type": "array"
            },
            "volumes": {
              "type": "array"
            },
            "volumeMounts": {
              "type": "array"
            },
            "nodeSelector": {
              "type": "object"
            },
            "affinity": {
              "type": "object"
            },
            "tolerations": {
              "type": "array"
            },
            "topologySpreadConstraints": {
              "type": "array"
            },
            "deploymentLabels": {
              "type": "object"
            },
            "deploymentAnnotations": {
              "type": "object"
            },
            "podLabels": {
              "type": "object"
            },
            "podAnnotations": {
              "type": "object"
            },
            "serviceAnnotations": {
              "type": "object"
            },
            "serviceAccountAnnotations": {
              "type": "object"
            },
            "seccompProfile": {
              "type": "object"
            },
            "terminationMessagePolicy": {
              "type": [
                "string",
                "number"
              ]
            },
            "ipFamilyPolicy": {
              "enum": [
                "",
                "SingleStack",
                "PreferDualStack",
                "RequireDualStack"
              ]
            },
            "ipFamilies": {
              "type": "array",
              "items": {
                "enum": [
                  "IPv4",
                  "IPv6"
                ]
              }
            },
            "trafficDistribution": {
              "type": [
                "string",
                "number"
              ]
            },
            "credentialNamespaces": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "jwksResolverExtraRootCA": {
              "type": [
                "string",
                "number"
              ]
            },
            "trustedZtunnelNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "trustedZtunnelName": {
              "type": [
                "string",
                "number"
              ]
            },
            "taint": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                },
                "namespace": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "name": {}
              },
              "additionalProperties": false
            },
            "traceSampling": {
              "type": [
                "number",
                "string"
              ],
              "pattern": "^[0-9]{1,3}(\\.[0-9]{1,6})?$",
              "minimum": 0,
              "maximum": 100
            },
            "configMap": {
              "type": "boolean"
            },
            "meshConfig": {
              "type": "object",
              "properties": {
                "trustDomain": {
                  "type": "string"
                },
                "defaultConfig": {
                  "type": "object"
                }
              }
            },
            "istiodRemote": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                },
                "enabledLocalInjectorIstiod": {},
                "injectionURL": {},
                "injectionCABundle": {},
                "injectionPath": {}
              },
              "additionalProperties": false
            },
            "gatewayClasses": {
              "type": "object",
              "additionalProperties": {
                "type": "object",
                "properties": {
                  "deployment": {
                    "type": "object"
                  },
                  "service": {
                    "type": "object"
                  },
                  "serviceAccount": {
                    "type": "object"
                  },
                  "horizontalPodAutoscaler": {
                    "type": "object"
                  },
                  "podDisruptionBudget": {
                    "type": "object"
                  }
                },
                "additionalProperties": false
              }
            },
            "base": {
              "type": "object",
              "properties": {
                "validationURL": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "validationCABundle": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "validationFailurePolicy": {
                  "enum": [
                    "",
                    "Fail",
                    "Ignore"
                  ]
                },
                "enableIstioConfigCRDs": {}
              },
              "additionalProperties": false
            },
            "compatibilityVersion": {},
            "experimental": {
              "type": "object",
              "properties": {
                "stableValidationPolicy": {}
              },
              "additionalProperties": false
            },
            "sidecarInjectorWebhook": {
              "type": "object",
              "properties": {
                "neverInjectSelector": {},
                "alwaysInjectSelector": {},
                "defaultTemplates": {},
                "injectedAnnotations": {},
                "templates": {},
                "enableNamespacesByDefault": {},
                "rewriteAppHTTPProbe": {},
                "reinvocationPolicy": {}
              },
              "additionalProperties": false
            },
            "sidecarInjectorWebhookAnnotations": {},
            "cni": {
              "type": "object",
              "properties": {
                "enabled": {},
                "provider": {}
              },
              "additionalProperties": false
            },
            "keepaliveMaxServerConnectionAge": {},
            "telemetry": {
              "type": "object",
              "properties": {
                "v2": {
                  "type": "object",
                  "properties": {
                    "stackdriver": {
                      "type": "object",
                      "properties": {
                        "enabled": {}
                      },
                      "additionalProperties": false
                    },
                    "enabled": {},
                    "prometheus": {
                      "type": "object",
                      "properties": {
                        "enabled": {}
                      },
                      "additionalProperties": false
                    }
                  },
                  "additionalProperties": false
                },
                "enabled": {}
              },
              "additionalProperties": false
            },
            "gateways": {
              "type": "object",
              "properties": {
                "securityContext": {},
                "seccompProfile": {}
              },
              "additionalProperties": false
            },
            "crlConfigMapName": {}
          },
          "additionalProperties": false
        },
        "enabled": {
          "type": "boolean"
        },
        "_internal_defaults_do_not_set": {
          "type": "object"
        }
      },
      "additionalProperties": false
    }
  },
  "cni": {
    "defaults": {
      "profile": "",
      "platform": "",
      "hub": "",
      "tag": "",
      "variant": "",
      "image": "install-cni",
      "pullPolicy": "",
      "revision": "",
      "ownerName": "",
      "logging": {
        "level": ""
      },
      "cniBinDir": "/opt/cni/bin",
      "cniConfDir": "/etc/cni/net.d",
      "cniNetnsDir": "/var/run/netns",
      "cniConfFileName": "",
      "istioOwnedCNIConfig": false,
      "istioOwnedCNIConfigFileName": "",
      "chained": true,
      "provider": "default",
      "excludeNamespaces": [
        "kube-system"
      ],
      "ambient": {
        "enabled": true,
        "dnsCapture": true,
        "ipv6": true
      },
      "resources": {
        "requests": {
          "cpu": "50m",
          "memory": "100Mi"
        }
      },
      "resourceQuotas": {
        "enabled": false,
        "pods": 5000
      },
      "env": {},
      "affinity": {},
      "tolerations": [
        {
          "effect": "NoSchedule",
          "operator": "Exists"
        },
        {
          "key": "CriticalAddonsOnly",
          "operator": "Exists"
        },
        {
          "effect": "NoExecute",
          "operator": "Exists"
        }
      ],
      "daemonSetLabels": {},
      "podLabels": {},
      "podAnnotations": {},
      "updateStrategy": {
        "type": "RollingUpdate",
        "rollingUpdate": {
          "maxUnavailable": 1
        }
      },
      "terminationGracePeriodSeconds": 30,
      "seccompProfile": {},
      "seLinuxOptions": {},
      "useAppArmorAnnotation": true,
      "global": {
        "hub": "docker.io/meltemi",
        "tag": "0.1.0",
        "variant": "",
        "imagePullPolicy": "",
        "imagePullSecrets": [],
        "istioNamespace": "istio-system",
        "resourceScope": "all",
        "networkPolicy": {
          "enabled": false
        },
        "logAsJson": false,
        "logging": {
          "level": "info"
        },
        "nativeNftables": false
      }
    },
    "refused": [
      {
        "paths": [
          "compatibilityVersion"
        ],
        "accept": [
          ""
        ],
        "why": "no earlier behaviour is kept that it could bring back"
      },
      {
        "paths": [
          "ambient.enabled"
        ],
        "accept": [
          true
        ],
        "why": "ambient mode is all that the node agent is for; without it, do not install it"
      },
      {
        "paths": [
          "ambient.enablementSelectors"
        ],
        "accept": [
          [
            {
              "podSelector": {
                "matchLabels": {
                  "istio.io/dataplane-mode": "ambient"
                }
              }
            },
            {
              "podSelector": {
                "matchExpressions": [
                  {
                    "key": "istio.io/dataplane-mode",
                    "operator": "NotIn",
                    "values": [
                      "none"
                    ]
                  }
                ]
              },
              "namespaceSelector": {
                "matchLabels": {
                  "istio.io/dataplane-mode": "ambient"
                }
              }
            }
          ]
        ],
        "why": "label istio.io/dataplane-mode of pods and namespaces decides"
      },
      {
        "paths": [
          "ambient.configDir"
        ],
        "accept": [
          ""
        ],
        "why": "the node agent is configured by its environment alone"
      },
      {
        "paths": [
          "ambient.reconcileIptablesOnStartup"
        ],
        "accept": [
          true
        ],
        "why": "the node agent always puts the pods of its node in order when it starts"
      },
      {
        "paths": [
          "ambient.shareHostNetworkNamespace"
        ],
        "accept": [
          true
        ],
        "why": "the node agent runs in the node's network namespace"
      },
      {
        "paths": [
          "ambient.enableAmbientDetectionRetry"
        ],
        "accept": [
          false
        ],
        "why": "the node agent asks the API server about every new pod that it does not know"
      },
      {
        "paths": [
          "repair.enabled"
        ],
        "accept": [
          false
        ],
        "why": "it mends pods with sidecars, which are not injected"
      },
      {
        "paths": [
          "repair.labelPods",
          "repair.deletePods",
          "repair.repairPods",
          "repair.hub",
          "repair.tag",
          "repair.initContainerName",
          "repair.brokenPodLabelKey",
          "repair.brokenPodLabelValue"
        ],
        "accept": [
          true,
          false,
          "",
          "istio-validation",
          "cni.istio.io/uninitialized",
          "true"
        ],
        "why": "it mends pods with sidecars, which are not injected"
      },
      {
        "paths": [
          "global.defaultResources"
        ],
        "accept": [
          {
            "requests": {
              "cpu": "10m"
            }
          },
          {
            "requests": {
              "cpu": "100m",
              "memory": "100Mi"
            }
          }
        ],
        "why": "every chart has resources of its own"
      }
    ],
    "rules": {
      "agent": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "pods",
            "nodes",
            "namespaces"
          ],
          "verbs": [
            "get",
            "list",
            "watch"
          ]
        }
      ],
      "ambient": [
        {
          "apiGroups": [
            ""
          ],
          "resources": [
            "pods/status"
          ],
          "verbs": [
            "patch",
            "update"
          ]
        },
        {
          "apiGroups": [
            "apps"
          ],
          "resources": [
            "daemonsets"
          ],
          "resourceNames": [
            "istio-cni-node"
          ],
          "verbs": [
            "get"
          ]
        }
      ],
      "openshift": [
        {
          "apiGroups": [
            "security.openshift.io"
          ],
          "resources": [
            "securitycontextconstraints"
          ],
          "resourceNames": [
            "privileged"
          ],
          "verbs": [
            "use"
          ]
        }
      ]
    },
    "schema": {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "title": "Values of chart cni",
      "type": "object",
      "properties": {
        "profile": {
          "type": [
            "string",
            "number"
          ]
        },
        "platform": {
          "enum": [
            "",
            "gke",
            "k3d",
            "k3s",
            "microk8s",
            "minikube",
            "openshift"
          ]
        },
        "hub": {
          "type": [
            "string",
            "number"
          ]
        },
        "tag": {
          "type": [
            "string",
            "number"
          ]
        },
        "variant": {
          "type": [
            "string",
            "number"
          ]
        },
        "image": {
          "type": [
            "string",
            "number"
          ]
        },
        "pullPolicy": {
          "enum": [
            "",
            "Always",
            "IfNotPresent",
            "Never"
          ]
        },
        "revision": {
          "type": [
            "string",
            "integer"
          ],
          "minimum": 0,
          "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
        },
        "ownerName": {
          "type": [
            "string",
            "number"
          ]
        },
        "logging": {
          "type": "object",
          "properties": {
            "level": {
              "type": "string",
              "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
            }
          },
          "additionalProperties": false
        },
        "cniBinDir": {
          "type": [
            "string",
            "number"
          ]
        },
        "cniConfDir": {
          "type": [
            "string",
            "number"
          ]
        },
        "cniNetnsDir": {
          "type": [
            "string",
            "number"
          ]
        },
        "cniConfFileName": {
          "type": [
            "string",
            "number"
          ]
        },
        "istioOwnedCNIConfig": {
          "type": "boolean"
        },
        "istioOwnedCNIConfigFileName": {
          "type": [
            "string",
            "number"
          ]
        },
        "chained": {
          "type": "boolean"
        },
        "provider": {
          "enum": [
            "default",
            "multus"
          ]
        },
        "excludeNamespaces": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "ambient": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            },
            "dnsCapture": {
              "type": "boolean"
            },
            "ipv6": {
              "type": "boolean"
            },
            "enablementSelectors": {},
            "configDir": {},
            "reconcileIptablesOnStartup": {},
            "shareHostNetworkNamespace": {},
            "enableAmbientDetectionRetry": {}
          },
          "additionalProperties": false
        },
        "resources": {
          "type": "object",
          "properties": {
            "limits": {
              "type": "object"
            },
            "requests": {
              "type": "object"
            }
          },
          "additionalProperties": false
        },
        "resourceQuotas": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            },
            "pods": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "env": {
          "type": "object",
          "additionalProperties": {
            "type": [
              "string",
              "number",
              "boolean"
            ]
          }
        },
        "affinity": {
          "type": "object"
        },
        "tolerations": {
          "type": "array"
        },
        "daemonSetLabels": {
          "type": "object"
        },
        "podLabels": {
          "type": "object"
        },
        "podAnnotations": {
          "type": "object"
        },
        "updateStrategy": {
          "type": "object"
        },
        "terminationGracePeriodSeconds": {
          "type": "integer",
          "minimum": 1,
          "maximum": 86400
        },
        "seccompProfile": {
          "type": "object"
        },
        "seLinuxOptions": {
          "type": "object"
        },
        "useAppArmorAnnotation": {
          "type": "boolean"
        },
        "compatibilityVersion": {},
        "repair": {
          "type": "object",
          "properties": {
            "enabled": {},
            "labelPods": {},
            "deletePods": {},
            "repairPods": {},
            "hub": {},
            "tag": {},
            "initContainerName": {},
            "brokenPodLabelKey": {},
            "brokenPodLabelValue": {}
          },
          "additionalProperties": false
        },
        "global": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "istioNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullSecrets": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "resourceScope": {
              "enum": [
                "all",
                "cluster",
                "namespace"
              ]
            },
            "enableReaderRBAC": {
              "type": "boolean"
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "priorityClassName": {
              "type": [
                "string",
                "number"
              ]
            },
            "defaultPodDisruptionBudget": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "networkPolicy": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "configValidation": {
              "type": "boolean"
            },
            "logAsJson": {
              "type": "boolean"
            },
            "logging": {
              "type": "object",
              "properties": {
                "level": {
                  "type": "string",
                  "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
                }
              },
              "additionalProperties": false
            },
            "network": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshID": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshNetworks": {
              "type": "object"
            },
            "multiCluster": {
              "type": "object",
              "properties": {
                "clusterName": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "remotePilotAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "caAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "proxy": {
              "type": "object",
              "properties": {
                "image": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "clusterDomain": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "logLevel": {
                  "enum": [
                    "error",
                    "warning",
                    "warn",
                    "info",
                    "debug",
                    "trace",
                    "off"
                  ]
                },
                "resources": {},
                "autoInject": {},
                "includeIPRanges": {},
                "includeInboundPorts": {},
                "excludeIPRanges": {},
                "excludeInboundPorts": {},
                "includeOutboundPorts": {},
                "excludeOutboundPorts": {},
                "statusPort": {},
                "startupProbe": {},
                "readinessFailureThreshold": {},
                "readinessInitialDelaySeconds": {},
                "readinessPeriodSeconds": {},
                "privileged": {},
                "seccompProfile": {},
                "lifecycle": {},
                "componentLogLevel": {},
                "outlierLogPath": {},
                "tracer": {}
              },
              "additionalProperties": false
            },
            "waypoint": {
              "type": "object",
              "properties": {
                "resources": {
                  "type": "object",
                  "properties": {
                    "limits": {
                      "type": "object"
                    },
                    "requests": {
                      "type": "object"
                    }
                  },
                  "additionalProperties": false
                },
                "affinity": {
                  "type": "object"
                },
                "topologySpreadConstraints": {
                  "type": "array"
                },
                "nodeSelector": {
                  "type": "object"
                },
                "tolerations": {
                  "type": "array"
                },
                "highAvailability": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "nativeNftables": {
              "type": "boolean"
            },
            "omitSidecarInjectorConfigMap": {},
            "operatorManageWebhooks": {},
            "proxy_init": {},
            "defaultResources": {},
            "externalIstiod": {},
            "configCluster": {},
            "pilotCertProvider": {},
            "certSigners": {},
            "caName": {},
            "mountMtlsCerts": {},
            "istiod": {
              "type": "object",
              "properties": {
                "enableAnalysis": {}
              },
              "additionalProperties": false
            },
            "sts": {
              "type": "object",
              "properties": {
                "servicePort": {}
              },
              "additionalProperties": false
            },
            "sds": {
              "type": "object",
              "properties": {
                "token": {
                  "type": "object",
                  "properties": {
                    "aud": {}
                  },
                  "additionalProperties": false
                }
              },
              "additionalProperties": false
            },
            "trustBundleName": {}
          },
          "additionalProperties": false
        },
        "cni": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "image": {
              "type": [
                "string",
                "number"
              ]
            },
            "pullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "revision": {
              "type": [
                "string",
                "integer"
              ],
              "minimum": 0,
              "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
            },
            "ownerName": {
              "type": [
                "string",
                "number"
              ]
            },
            "logging": {
              "type": "object",
              "properties": {
                "level": {
                  "type": "string",
                  "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
                }
              },
              "additionalProperties": false
            },
            "cniBinDir": {
              "type": [
                "string",
                "number"
              ]
            },
            "cniConfDir": {
              "type": [
                "string",
                "number"
              ]
            },
            "cniNetnsDir": {
              "type": [
                "string",
                "number"
              ]
            },
            "cniConfFileName": {
              "type": [
                "string",
                "number"
              ]
            },
            "istioOwnedCNIConfig": {
              "type": "boolean"
            },
            "istioOwnedCNIConfigFileName": {
              "type": [
                "string",
                "number"
              ]
            },
            "chained": {
              "type": "boolean"
            },
            "provider": {
              "enum": [
                "default",
                "multus"
              ]
            },
            "excludeNamespaces": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "ambient": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                },
                "dnsCapture": {
                  "type": "boolean"
                },
                "ipv6": {
                  "type": "boolean"
                },
                "enablementSelectors": {},
                "configDir": {},
                "reconcileIptablesOnStartup": {},
                "shareHostNetworkNamespace": {},
                "enableAmbientDetectionRetry": {}
              },
              "additionalProperties": false
            },
            "resources": {
              "type": "object",
              "properties": {
                "limits": {
                  "type": "object"
                },
                "requests": {
                  "type": "object"
                }
              },
              "additionalProperties": false
            },
            "resourceQuotas": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                },
                "pods": {
                  "type": "integer",
                  "minimum": 1
                }
              },
              "additionalProperties": false
            },
            "env": {
              "type": "object",
              "additionalProperties": {
                "type": [
                  "string",
                  "number",
                  "boolean"
                ]
              }
            },
            "affinity": {
              "type": "object"
            },
            "tolerations": {
              "type": "array"
            },
            "daemonSetLabels": {
              "type": "object"
            },
            "podLabels": {
              "type": "object"
            },
            "podAnnotations": {
              "type": "object"
            },
            "updateStrategy": {
              "type": "object"
            },
            "terminationGracePeriodSeconds": {
              "type": "integer",
              "minimum": 1,
              "maximum": 86400
            },
            "seccompProfile": {
              "type": "object"
            },
            "seLinuxOptions": {
              "type": "object"
            },
            "useAppArmorAnnotation": {
              "type": "boolean"
            },
            "compatibilityVersion": {},
            "repair": {
              "type": "object",
              "properties": {
                "enabled": {},
                "labelPods": {},
                "deletePods": {},
                "repairPods": {},
                "hub": {},
                "tag": {},
                "initContainerName": {},
                "brokenPodLabelKey": {},
                "brokenPodLabelValue": {}
              },
              "additionalProperties": false
            }
          },
          "additionalProperties": false
        },
        "enabled": {
          "type": "boolean"
        },
        "_internal_defaults_do_not_set": {
          "type": "object"
        }
      },
      "additionalProperties": false
    }
  },
  "ztunnel": {
    "defaults": {
      "profile": "",
      "platform": "",
      "hub": "docker.io/meltemi",
      "tag": "0.1.0",
      "variant": "",
      "image": "ztunnel",
      "imagePullPolicy": "",
      "imagePullSecrets": [],
      "revision": "",
      "ownerName": "",
      "resourceName": "",
      "resourceScope": "all",
      "network": "",
      "multiCluster": {
        "clusterName": ""
      },
      "istioNamespace": "istio-system",
      "caAddress": "",
      "xdsAddress": "",
      "meshConfig": {
        "trustDomain": "cluster.local",
        "defaultConfig": {
          "proxyMetadata": {}
        }
      },
      "proxy": {
        "clusterDomain": "cluster.local"
      },
      "peerCaCrl": {
        "enabled": true
      },
      "logLevel": "info",
      "logAsJson": false,
      "env": {},
      "resources": {
        "requests": {
          "cpu": "100m",
          "memory": "256Mi"
        }
      },
      "resourceQuotas": {
        "enabled": false,
        "pods": 5000
      },
      "labels": {},
      "annotations": {},
      "podLabels": {},
      "podAnnotations": {
        "prometheus.io/port": "15020",
        "prometheus.io/scrape": "true"
      },
      "volumes": [],
      "volumeMounts": [],
      "nodeSelector": {},
      "affinity": {},
      "tolerations": [
        {
          "effect": "NoSchedule",
          "operator": "Exists"
        },
        {
          "key": "CriticalAddonsOnly",
          "operator": "Exists"
        },
        {
          "effect": "NoExecute",
          "operator": "Exists"
        }
      ],
      "updateStrategy": {
        "type": "RollingUpdate",
        "rollingUpdate": {
          "maxSurge": 1,
          "maxUnavailable": 0
        }
      },
      "terminationGracePeriodSeconds": 30,
      "dnsPolicy": "",
      "dnsConfig": {},
      "seLinuxOptions": {},
      "trustBundleName": "istio-ca-root-cert",
      "networkPolicy": {
        "enabled": false
      }
    },
    "refused": [
      {
        "paths": [
          "compatibilityVersion"
        ],
        "accept": [
          ""
        ],
        "why": "no earlier behaviour is kept that it could bring back"
      },
      {
        "paths": [
          "hostNetwork"
        ],
        "accept": [
          false
        ],
        "why": "the proxy listens inside its pods, and nowhere on the node"
      }
    ],
    "rules": {
      "openshift": [
        {
          "apiGroups": [
            "security.openshift.io"
          ],
          "resources": [
            "securitycontextconstraints"
          ],
          "resourceNames": [
            "privileged"
          ],
          "verbs": [
            "use"
          ]
        }
      ]
    },
    "schema": {
      "$schema": "http://json-schema.org/draft-07/schema#",
      "title": "Values of chart ztunnel",
      "type": "object",
      "properties": {
        "profile": {
          "type": [
            "string",
            "number"
          ]
        },
        "platform": {
          "enum": [
            "",
            "gke",
            "k3d",
            "k3s",
            "microk8s",
            "minikube",
            "openshift"
          ]
        },
        "hub": {
          "type": [
            "string",
            "number"
          ]
        },
        "tag": {
          "type": [
            "string",
            "number"
          ]
        },
        "variant": {
          "type": [
            "string",
            "number"
          ]
        },
        "image": {
          "type": [
            "string",
            "number"
          ]
        },
        "imagePullPolicy": {
          "enum": [
            "",
            "Always",
            "IfNotPresent",
            "Never"
          ]
        },
        "imagePullSecrets": {
          "type": "array",
          "items": {
            "type": "string"
          }
        },
        "revision": {
          "type": [
            "string",
            "integer"
          ],
          "minimum": 0,
          "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
        },
        "ownerName": {
          "type": [
            "string",
            "number"
          ]
        },
        "resourceName": {
          "type": [
            "string",
            "number"
          ]
        },
        "resourceScope": {
          "enum": [
            "all",
            "cluster",
            "namespace"
          ]
        },
        "network": {
          "type": [
            "string",
            "number"
          ]
        },
        "multiCluster": {
          "type": "object",
          "properties": {
            "clusterName": {
              "type": [
                "string",
                "number"
              ]
            }
          },
          "additionalProperties": false
        },
        "istioNamespace": {
          "type": [
            "string",
            "number"
          ]
        },
        "caAddress": {
          "type": [
            "string",
            "number"
          ]
        },
        "xdsAddress": {
          "type": [
            "string",
            "number"
          ]
        },
        "meshConfig": {
          "type": "object",
          "properties": {
            "trustDomain": {
              "type": "string"
            },
            "defaultConfig": {
              "type": "object"
            }
          }
        },
        "proxy": {
          "type": "object",
          "properties": {
            "clusterDomain": {
              "type": [
                "string",
                "number"
              ]
            }
          },
          "additionalProperties": false
        },
        "peerCaCrl": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            }
          },
          "additionalProperties": false
        },
        "logLevel": {
          "type": [
            "string",
            "number"
          ]
        },
        "logAsJson": {
          "type": "boolean"
        },
        "env": {
          "type": "object",
          "additionalProperties": {
            "type": [
              "string",
              "number",
              "boolean"
            ]
          }
        },
        "resources": {
          "type": "object",
          "properties": {
            "limits": {
              "type": "object"
            },
            "requests": {
              "type": "object"
            }
          },
          "additionalProperties": false
        },
        "resourceQuotas": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            },
            "pods": {
              "type": "integer",
              "minimum": 1
            }
          },
          "additionalProperties": false
        },
        "labels": {
          "type": "object"
        },
        "annotations": {
          "type": "object"
        },
        "podLabels": {
          "type": "object"
        },
        "podAnnotations": {
          "type": "object"
        },
        "volumes": {
          "type": "array"
        },
        "volumeMounts": {
          "type": "array"
        },
        "nodeSelector": {
          "type": "object"
        },
        "affinity": {
          "type": "object"
        },
        "tolerations": {
          "type": "array"
        },
        "updateStrategy": {
          "type": "object"
        },
        "terminationGracePeriodSeconds": {
          "type": "integer",
          "minimum": 1,
          "maximum": 86400
        },
        "dnsPolicy": {
          "type": [
            "string",
            "number"
          ]
        },
        "dnsConfig": {
          "type": "object"
        },
        "seLinuxOptions": {
          "type": "object"
        },
        "trustBundleName": {
          "type": [
            "string",
            "number"
          ]
        },
        "networkPolicy": {
          "type": "object",
          "properties": {
            "enabled": {
              "type": "boolean"
            }
          },
          "additionalProperties": false
        },
        "compatibilityVersion": {},
        "hostNetwork": {},
        "global": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "istioNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullSecrets": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "resourceScope": {
              "enum": [
                "all",
                "cluster",
                "namespace"
              ]
            },
            "enableReaderRBAC": {
              "type": "boolean"
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "priorityClassName": {
              "type": [
                "string",
                "number"
              ]
            },
            "defaultPodDisruptionBudget": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "networkPolicy": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "configValidation": {
              "type": "boolean"
            },
            "logAsJson": {
              "type": "boolean"
            },
            "logging": {
              "type": "object",
              "properties": {
                "level": {
                  "type": "string",
                  "pattern": "^(((default|all):)?(error|warn|info|debug))?$"
                }
              },
              "additionalProperties": false
            },
            "network": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshID": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshNetworks": {
              "type": "object"
            },
            "multiCluster": {
              "type": "object",
              "properties": {
                "clusterName": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "remotePilotAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "caAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "proxy": {
              "type": "object",
              "properties": {
                "image": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "clusterDomain": {
                  "type": [
                    "string",
                    "number"
                  ]
                },
                "logLevel": {
                  "enum": [
                    "error",
                    "warning",
                    "warn",
                    "info",
                    "debug",
                    "trace",
                    "off"
                  ]
                },
                "resources": {},
                "autoInject": {},
                "includeIPRanges": {},
                "includeInboundPorts": {},
                "excludeIPRanges": {},
                "excludeInboundPorts": {},
                "includeOutboundPorts": {},
                "excludeOutboundPorts": {},
                "statusPort": {},
                "startupProbe": {},
                "readinessFailureThreshold": {},
                "readinessInitialDelaySeconds": {},
                "readinessPeriodSeconds": {},
                "privileged": {},
                "seccompProfile": {},
                "lifecycle": {},
                "componentLogLevel": {},
                "outlierLogPath": {},
                "tracer": {}
              },
              "additionalProperties": false
            },
            "waypoint": {
              "type": "object",
              "properties": {
                "resources": {
                  "type": "object",
                  "properties": {
                    "limits": {
                      "type": "object"
                    },
                    "requests": {
                      "type": "object"
                    }
                  },
                  "additionalProperties": false
                },
                "affinity": {
                  "type": "object"
                },
                "topologySpreadConstraints": {
                  "type": "array"
                },
                "nodeSelector": {
                  "type": "object"
                },
                "tolerations": {
                  "type": "array"
                },
                "highAvailability": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "nativeNftables": {
              "type": "boolean"
            },
            "omitSidecarInjectorConfigMap": {},
            "operatorManageWebhooks": {},
            "proxy_init": {},
            "defaultResources": {},
            "externalIstiod": {},
            "configCluster": {},
            "pilotCertProvider": {},
            "certSigners": {},
            "caName": {},
            "mountMtlsCerts": {},
            "istiod": {
              "type": "object",
              "properties": {
                "enableAnalysis": {}
              },
              "additionalProperties": false
            },
            "sts": {
              "type": "object",
              "properties": {
                "servicePort": {}
              },
              "additionalProperties": false
            },
            "sds": {
              "type": "object",
              "properties": {
                "token": {
                  "type": "object",
                  "properties": {
                    "aud": {}
                  },
                  "additionalProperties": false
                }
              },
              "additionalProperties": false
            },
            "trustBundleName": {}
          },
          "additionalProperties": false
        },
        "ztunnel": {
          "type": "object",
          "properties": {
            "profile": {
              "type": [
                "string",
                "number"
              ]
            },
            "platform": {
              "enum": [
                "",
                "gke",
                "k3d",
                "k3s",
                "microk8s",
                "minikube",
                "openshift"
              ]
            },
            "hub": {
              "type": [
                "string",
                "number"
              ]
            },
            "tag": {
              "type": [
                "string",
                "number"
              ]
            },
            "variant": {
              "type": [
                "string",
                "number"
              ]
            },
            "image": {
              "type": [
                "string",
                "number"
              ]
            },
            "imagePullPolicy": {
              "enum": [
                "",
                "Always",
                "IfNotPresent",
                "Never"
              ]
            },
            "imagePullSecrets": {
              "type": "array",
              "items": {
                "type": "string"
              }
            },
            "revision": {
              "type": [
                "string",
                "integer"
              ],
              "minimum": 0,
              "pattern": "^([a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?)?$"
            },
            "ownerName": {
              "type": [
                "string",
                "number"
              ]
            },
            "resourceName": {
              "type": [
                "string",
                "number"
              ]
            },
            "resourceScope": {
              "enum": [
                "all",
                "cluster",
                "namespace"
              ]
            },
            "network": {
              "type": [
                "string",
                "number"
              ]
            },
            "multiCluster": {
              "type": "object",
              "properties": {
                "clusterName": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "istioNamespace": {
              "type": [
                "string",
                "number"
              ]
            },
            "caAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "xdsAddress": {
              "type": [
                "string",
                "number"
              ]
            },
            "meshConfig": {
              "type": "object",
              "properties": {
                "trustDomain": {
                  "type": "string"
                },
                "defaultConfig": {
                  "type": "object"
                }
              }
            },
            "proxy": {
              "type": "object",
              "properties": {
                "clusterDomain": {
                  "type": [
                    "string",
                    "number"
                  ]
                }
              },
              "additionalProperties": false
            },
            "peerCaCrl": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "logLevel": {
              "type": [
                "string",
                "number"
              ]
            },
            "logAsJson": {
              "type": "boolean"
            },
            "env": {
              "type": "object",
              "additionalProperties": {
                "type": [
                  "string",
                  "number",
                  "boolean"
                ]
              }
            },
            "resources": {
              "type": "object",
              "properties": {
                "limits": {
                  "type": "object"
                },
                "requests": {
                  "type": "object"
                }
              },
              "additionalProperties": false
            },
            "resourceQuotas": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                },
                "pods": {
                  "type": "integer",
                  "minimum": 1
                }
              },
              "additionalProperties": false
            },
            "labels": {
              "type": "object"
            },
            "annotations": {
              "type": "object"
            },
            "podLabels": {
              "type": "object"
            },
            "podAnnotations": {
              "type": "object"
            },
            "volumes": {
              "type": "array"
            },
            "volumeMounts": {
              "type": "array"
            },
            "nodeSelector": {
              "type": "object"
            },
            "affinity": {
              "type": "object"
            },
            "tolerations": {
              "type": "array"
            },
            "updateStrategy": {
              "type": "object"
            },
            "terminationGracePeriodSeconds": {
              "type": "integer",
              "minimum": 1,
              "maximum": 86400
            },
            "dnsPolicy": {
              "type": [
                "string",
                "number"
              ]
            },
            "dnsConfig": {
              "type": "object"
            },
            "seLinuxOptions": {
              "type": "object"
            },
            "trustBundleName": {
              "type": [
                "string",
                "number"
              ]
            },
            "networkPolicy": {
              "type": "object",
              "properties": {
                "enabled": {
                  "type": "boolean"
                }
              },
              "additionalProperties": false
            },
            "compatibilityVersion": {},
            "hostNetwork": {}
          },
          "additionalProperties": false
        },
        "enabled": {
          "type": "boolean"
        },
        "_internal_defaults_do_not_set": {
          "type": "object"
        }
      },
      "additionalProperties": false
    }
  }
};

export const PROFILES: Readonly<Record<string, Tree>> = {
  "ambient": {
    "meshConfig": {
      "defaultConfig": {
        "proxyMetadata": {
          "ISTIO_META_ENABLE_HBONE": "true"
        }
      }
    },
    "pilot": {
      "env": {
        "PILOT_ENABLE_AMBIENT": "true"
      }
    },
    "cni": {
      "ambient": {
        "enabled": true
      }
    }
  },
  "demo": {
    "meshConfig": {
      "accessLogFile": "/dev/stdout"
    },
    "global": {
      "waypoint": {
        "resources": {
          "requests": {
            "cpu": "10m",
            "memory": "40Mi"
          }
        }
      }
    },
    "pilot": {
      "autoscaleEnabled": false,
      "traceSampling": 100,
      "resources": {
        "requests": {
          "cpu": "10m",
          "memory": "100Mi"
        }
      }
    },
    "cni": {
      "resources": {
        "requests": {
          "cpu": "10m",
          "memory": "40Mi"
        }
      }
    },
    "ztunnel": {
      "resources": {
        "requests": {
          "cpu": "10m",
          "memory": "40Mi"
        }
      }
    }
  },
  "platform-gke": {
    "cni": {
      "cniBinDir": "/home/kubernetes/bin",
      "resourceQuotas": {
        "enabled": true
      }
    },
    "ztunnel": {
      "resourceQuotas": {
        "enabled": true
      }
    }
  },
  "platform-k3d": {
    "cni": {
      "cniConfDir": "/var/lib/rancher/k3s/agent/etc/cni/net.d",
      "cniBinDir": "/bin"
    }
  },
  "platform-k3s": {
    "cni": {
      "cniConfDir": "/var/lib/rancher/k3s/agent/etc/cni/net.d",
      "cniBinDir": "/var/lib/rancher/k3s/data/cni"
    }
  },
  "platform-microk8s": {
    "cni": {
      "cniConfDir": "/var/snap/microk8s/current/args/cni-network",
      "cniBinDir": "/var/snap/microk8s/current/opt/cni/bin"
    }
  },
  "platform-minikube": {
    "cni": {
      "cniNetnsDir": "/var/run/docker/netns"
    }
  },
  "platform-openshift": {
    "cni": {
      "cniBinDir": "/var/lib/cni/bin",
      "cniConfDir": "/etc/cni/multus/net.d",
      "cniConfFileName": "istio-cni.conf",
      "chained": false,
      "provider": "multus",
      "seLinuxOptions": {
        "type": "spc_t"
      }
    },
    "pilot": {
      "trustedZtunnelNamespace": "kube-system",
      "taint": {
        "namespace": "kube-system"
      },
      "terminationMessagePolicy": "FallbackToLogsOnError"
    },
    "ztunnel": {
      "seLinuxOptions": {
        "type": "spc_t"
      }
    }
  },
  "preview": {
    "meshConfig": {
      "defaultConfig": {
        "proxyMetadata": {
          "ISTIO_META_DNS_CAPTURE": "true"
        }
      }
    }
  },
  "remote": {
    "istiodRemote": {
      "enabled": true
    },
    "configMap": false
  }
};
