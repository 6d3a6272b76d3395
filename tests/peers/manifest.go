// The import manifest: the objects by which a cluster would get its agent (rancher-protocol §1.4). Same kinds, names and
// container as Rancher's own, in the peer's words; `kubectl apply` of it is the "cluster-deploy" step of §4.7.

package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
)

const manifestTemplate = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: proxy-clusterrole-kubeapiserver
rules:
- apiGroups: [""]
  resources: ["nodes/metrics", "nodes/proxy", "nodes/stats", "nodes/log", "nodes/spec"]
  verbs: ["get", "list", "watch", "create"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: proxy-role-binding-kubernetes-master
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: proxy-clusterrole-kubeapiserver
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: kube-apiserver
---
apiVersion: v1
kind: Namespace
metadata:
  name: cattle-system
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: cattle
  namespace: cattle-system
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: cattle-admin-binding
  labels:
    cattle.io/creator: "norman"
subjects:
- kind: ServiceAccount
  name: cattle
  namespace: cattle-system
roleRef:
  kind: ClusterRole
  name: cattle-admin
  apiGroup: rbac.authorization.k8s.io
---
apiVersion: v1
kind: Secret
metadata:
  name: cattle-credentials-{{suffix}}
  namespace: cattle-system
type: Opaque
data:
  url: "{{url}}"
  token: "{{token}}"
  namespace: ""
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: cattle-admin
  labels:
    cattle.io/creator: "norman"
rules:
- apiGroups: ["*"]
  resources: ["*"]
  verbs: ["*"]
- nonResourceURLs: ["*"]
  verbs: ["*"]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cattle-cluster-agent
  namespace: cattle-system
  annotations:
    management.cattle.io/scale-available: "2"
spec:
  selector:
    matchLabels:
      app: cattle-cluster-agent
  template:
    metadata:
      labels:
        app: cattle-cluster-agent
    spec:
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            podAffinityTerm:
              labelSelector:
                matchExpressions:
                - key: app
                  operator: In
                  values: ["cattle-cluster-agent"]
              topologyKey: kubernetes.io/hostname
      serviceAccountName: cattle
      tolerations:
      - effect: NoSchedule
        key: node-role.kubernetes.io/control-plane
      containers:
      - name: cluster-register
        imagePullPolicy: IfNotPresent
        image: {{image}}
        env:
        - name: CATTLE_IS_RKE
          value: "false"
        - name: CATTLE_SERVER
          value: "{{server}}"
        - name: CATTLE_CLUSTER
          value: "true"
        - name: CATTLE_K8S_MANAGED
          value: "true"
        - name: CATTLE_CREDENTIAL_NAME
          value: cattle-credentials-{{suffix}}
        - name: CATTLE_SERVER_VERSION
          value: "{{version}}"
        volumeMounts:
        - name: cattle-credentials
          mountPath: /cattle-credentials
          readOnly: true
      volumes:
      - name: cattle-credentials
        secret:
          secretName: cattle-credentials-{{suffix}}
          defaultMode: 320
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
---
apiVersion: v1
kind: Service
metadata:
  name: cattle-cluster-agent
  namespace: cattle-system
spec:
  ports:
  - port: 80
    targetPort: 80
    protocol: TCP
    name: http
  - port: 443
    targetPort: 444
    protocol: TCP
    name: https-internal
  selector:
    app: cattle-cluster-agent
`

// manifest renders the import manifest of one cluster.
func (s *server) manifest(token string) string {
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	return strings.NewReplacer(
		"{{suffix}}", fingerprint(token)[:10],
		"{{url}}", encode(s.url),
		"{{token}}", encode(token),
		"{{image}}", s.agentImage,
		"{{server}}", s.url,
		"{{version}}", s.serverVersion,
	).Replace(manifestTemplate)
}

// getManifest serves /v3/import/<token>_<cluster id>.yaml without authentication: the token is in the name.
func (s *server) getManifest(w http.ResponseWriter, r *http.Request) {
	base, isYAML := strings.CutSuffix(r.PathValue("file"), ".yaml")
	token, id, hasBoth := strings.Cut(base, "_")
	if !isYAML || !hasBoth {
		http.NotFound(w, r)
		return
	}
	c := s.clusterByToken(token)
	if c == nil || c.id != id {
		http.Error(w, "cluster not found or invalid token", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	_, _ = fmt.Fprint(w, s.manifest(token))
}

// currentToken is the newest registration token of the cluster.
func (c *cluster) currentToken() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) == 0 {
		return ""
	}
	return c.tokens[len(c.tokens)-1].Value
}
