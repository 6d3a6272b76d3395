// Rancher's norman API as far as importing clusters needs it (rancher-protocol §1; error bodies: rancher/norman
// httperror/handler; pages: rancher/norman api/handler/query.go).

package main

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	maxPage = 10000
	// bodyLimit is Rancher's setting public-api-body-limit.
	bodyLimit = 1 << 20
)

var dnsLabel = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func (s *server) addRESTRoutes(mux *http.ServeMux) {
	mux.HandleFunc("/ping", s.faulty("ping", s.getPing))
	mux.HandleFunc("/rancherversion", s.faulty("ping", s.getRancherVersion))
	mux.HandleFunc("/cacerts", s.faulty("cacerts", s.getCACertsPEM))
	mux.HandleFunc("GET /v3/settings/cacerts", s.faulty("cacerts", s.getCACerts))
	mux.HandleFunc("GET /v3/import/{file}", s.faulty("import", s.getManifest))
	mux.HandleFunc("GET /v3/settings/{name}", s.faulty("get", s.authenticated(s.getSetting)))
	mux.HandleFunc("GET /v3/users", s.faulty("get", s.authenticated(s.getUsers)))
	mux.HandleFunc("POST /v3/clusters", s.faulty("create", s.authenticated(s.createCluster)))
	mux.HandleFunc("GET /v3/clusters", s.faulty("list", s.authenticated(s.listClusters)))
	mux.HandleFunc("GET /v3/clusters/{id}", s.faulty("get", s.authenticated(s.getCluster)))
	mux.HandleFunc("PUT /v3/clusters/{id}", s.faulty("update", s.authenticated(s.updateCluster)))
	mux.HandleFunc("DELETE /v3/clusters/{id}", s.faulty("delete", s.authenticated(s.deleteCluster)))
	mux.HandleFunc("GET /v3/clusters/{id}/clusterregistrationtokens", s.faulty("token", s.authenticated(s.listTokens)))
	mux.HandleFunc("GET /v3/clusterregistrationtokens", s.faulty("token", s.authenticated(s.listTokens)))
	mux.HandleFunc("POST /v3/clusterregistrationtokens", s.faulty("token", s.authenticated(s.createToken)))
	mux.HandleFunc("GET /v3/clusterregistrationtokens/{id}", s.faulty("token", s.authenticated(s.getToken)))
	mux.HandleFunc("/v3", s.faulty("get", s.authenticated(s.getRoot)))
	mux.HandleFunc("/", s.authenticated(func(w http.ResponseWriter, r *http.Request) {
		writeError(w, http.StatusNotFound, "NotFound", "", "no such resource in the peer: "+r.Method+" "+r.URL.Path)
	}))
}

func (s *server) authenticated(next http.HandlerFunc) http.HandlerFunc {
	want := []byte("Bearer " + s.apiToken)
	return func(w http.ResponseWriter, r *http.Request) {
		got := []byte(r.Header.Get("Authorization"))
		if subtle.ConstantTimeCompare(got, want) != 1 || r.Header.Get("X-API-Cattle-Auth") == "false" {
			writeError(w, http.StatusUnauthorized, "Unauthorized", "", "must authenticate")
			return
		}
		next(w, r)
	}
}

func (s *server) getPing(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, "pong")
}

func (s *server) getRancherVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{"Version": s.serverVersion, "GitCommit": "peer", "RancherPrime": "false"})
}

func (s *server) getCACertsPEM(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	_, _ = io.WriteString(w, s.ca)
}

func (s *server) getCACerts(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.setting("cacerts", s.ca))
}

func (s *server) getSetting(w http.ResponseWriter, r *http.Request) {
	values := map[string]string{
		"server-version":                 s.serverVersion,
		"server-url":                     s.url,
		"agent-tls-mode":                 "strict",
		"agent-image":                    s.agentImage,
		"cluster-controller-start-count": strconv.Itoa(cap(s.starts)),
		"fleet-default-workspace-name":   "fleet-default",
	}
	name := r.PathValue("name")
	value, ok := values[name]
	if !ok {
		writeError(w, http.StatusNotFound, "NotFound", "", fmt.Sprintf("setting %q not found", name))
		return
	}
	writeJSON(w, http.StatusOK, s.setting(name, value))
}

func (s *server) setting(name, value string) map[string]any {
	return map[string]any{
		"id": name, "type": "setting", "baseType": "setting", "name": name, "value": value, "default": "",
		"links": map[string]string{"self": s.url + "/v3/settings/" + name},
	}
}

func (s *server) getUsers(w http.ResponseWriter, r *http.Request) {
	me := map[string]any{"id": "user-peer", "type": "user", "username": "admin", "me": true, "enabled": true}
	writeJSON(w, http.StatusOK, s.collection(r, "user", []map[string]any{me}))
}

func (s *server) getRoot(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"type": "apiRoot", "baseType": "apiRoot",
		"apiVersion": map[string]string{"group": "management.cattle.io", "path": "/v3", "version": "v3"},
		"links": map[string]string{
			"self": s.url + "/v3", "clusters": s.url + "/v3/clusters",
			"clusterRegistrationTokens": s.url + "/v3/clusterregistrationtokens",
		},
	})
}

// clusterInput is what a client may write of a cluster.
type clusterInput struct {
	Type        string            `json:"type"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readInput(w http.ResponseWriter, r *http.Request, into any) bool {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, bodyLimit)).Decode(into)
	if err != nil {
		writeError(w, http.StatusUnprocessableEntity, "InvalidBodyContent", "", "failed to parse body: "+err.Error())
		return false
	}
	return true
}

func (s *server) createCluster(w http.ResponseWriter, r *http.Request) {
	var in clusterInput
	if !readInput(w, r, &in) {
		return
	}
	s.creating.Lock()
	defer s.creating.Unlock()

	if in.Name == "" {
		writeError(w, http.StatusUnprocessableEntity, "MissingRequired", "Cluster name", "")
		return
	}
	if !dnsLabel.MatchString(in.Name) {
		writeError(w, http.StatusUnprocessableEntity, "InvalidFormat", "name",
			fmt.Sprintf("invalid value %q: a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'", in.Name))
		return
	}
	for _, other := range s.allClusters() {
		if strings.EqualFold(other.name, in.Name) {
			writeError(w, http.StatusUnprocessableEntity, "NotUnique", "Cluster name", "")
			return
		}
	}

	c := newCluster(s.ctx, s.freshID(), in.Name, s.cacheLag, s.conflicts)
	c.labels = orEmpty(in.Labels)
	c.annotations = orEmpty(in.Annotations)
	c.tokens = append(c.tokens, s.newToken(c.id+":default-token"))
	c.stage("created")
	s.mu.Lock()
	s.clusters[c.id] = c
	s.mu.Unlock()
	writeJSON(w, http.StatusCreated, s.clusterObject(c))
}

func (s *server) freshID() string {
	for {
		id := "c-" + randomText(5, idAlphabet)
		if s.known(id) == nil {
			return id
		}
	}
}

func (s *server) listClusters(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	data := []map[string]any{}
	for _, c := range s.allClusters() {
		if name := query.Get("name"); name != "" && c.name != name {
			continue
		}
		if prefix := query.Get("name_prefix"); !strings.HasPrefix(c.name, prefix) {
			continue
		}
		data = append(data, s.clusterObject(c))
	}
	writeJSON(w, http.StatusOK, s.collection(r, "cluster", data))
}

func (s *server) getCluster(w http.ResponseWriter, r *http.Request) {
	if c := s.requireCluster(w, r); c != nil {
		writeJSON(w, http.StatusOK, s.clusterObject(c))
	}
}

func (s *server) updateCluster(w http.ResponseWriter, r *http.Request) {
	c := s.requireCluster(w, r)
	if c == nil {
		return
	}
	var in clusterInput
	if !readInput(w, r, &in) {
		return
	}
	c.mu.Lock()
	if in.Labels != nil {
		c.labels = in.Labels
	}
	if in.Annotations != nil {
		c.annotations = in.Annotations
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, s.clusterObject(c))
}

// deleteCluster starts the removal: the object stays, removing, until the finalizers ran (§4.12).
func (s *server) deleteCluster(w http.ResponseWriter, r *http.Request) {
	c := s.requireCluster(w, r)
	if c == nil {
		return
	}
	s.remove(c)
	writeJSON(w, http.StatusOK, s.clusterObject(c))
}

// remove deletes a cluster as Rancher does: it is gone once its finalizers are through.
func (s *server) remove(c *cluster) {
	c.mu.Lock()
	first := !c.removing
	c.removing = true
	c.mu.Unlock()
	if first {
		c.stage("removing")
		go s.finalize(c)
	}
}

func (s *server) requireCluster(w http.ResponseWriter, r *http.Request) *cluster {
	id := r.PathValue("id")
	c := s.cluster(id)
	if c == nil {
		writeError(w, http.StatusNotFound, "NotFound", "", fmt.Sprintf("clusters.management.cattle.io %q not found", id))
	}
	return c
}

func (s *server) clusterObject(c *cluster) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, transitioning, message := c.stateLocked()
	conditions := make([]condition, 0, len(c.order))
	for _, kind := range c.order {
		conditions = append(conditions, *c.conditions[kind])
	}
	self := s.url + "/v3/clusters/" + c.id
	return map[string]any{
		"id": c.id, "type": "cluster", "baseType": "cluster", "name": c.name, "uuid": fingerprint(c.id)[:32],
		"created": c.created.UTC().Format(time.RFC3339), "createdTS": c.created.UnixMilli(),
		"state": state, "transitioning": transitioning, "transitioningMessage": message,
		"conditions": conditions, "labels": c.labels, "annotations": c.annotations,
		"driver": "imported", "nodeCount": len(c.nodes), "agentImage": c.agentImage,
		"version": map[string]string{"gitVersion": c.version},
		"actions": map[string]string{"generateKubeconfig": self + "?action=generateKubeconfig"},
		"links": map[string]string{
			"self": self, "update": self, "remove": self,
			"clusterRegistrationTokens": s.url + "/v3/clusterregistrationtokens?clusterId=" + c.id,
		},
	}
}

func (s *server) newToken(id string) *registrationToken {
	now := time.Now()
	return &registrationToken{
		ID:      id,
		Value:   randomText(54, idAlphabet),
		created: now.Add(s.tokenDelay),
		filled:  now.Add(2 * s.tokenDelay),
	}
}

// listTokens answers nothing at first, then an item without token, then the token (§1.3: a controller makes it).
func (s *server) listTokens(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if id == "" {
		id = r.URL.Query().Get("clusterId")
	}
	data := []map[string]any{}
	for _, c := range s.allClusters() {
		if id != "" && c.id != id {
			continue
		}
		data = append(data, s.tokenObjects(c)...)
	}
	writeJSON(w, http.StatusOK, s.collection(r, "clusterRegistrationToken", data))
}

func (s *server) getToken(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	clusterID, _, _ := strings.Cut(id, ":")
	if c := s.cluster(clusterID); c != nil {
		for _, object := range s.tokenObjects(c) {
			if object["id"] == id {
				writeJSON(w, http.StatusOK, object)
				return
			}
		}
	}
	writeError(w, http.StatusNotFound, "NotFound", "", fmt.Sprintf("clusterregistrationtokens.management.cattle.io %q not found", id))
}

func (s *server) createToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ClusterID string `json:"clusterId"`
	}
	if !readInput(w, r, &in) {
		return
	}
	c := s.cluster(in.ClusterID)
	if c == nil {
		writeError(w, http.StatusNotFound, "NotFound", "", fmt.Sprintf("cluster %q not found", in.ClusterID))
		return
	}
	token := s.newToken(c.id + ":crt-" + randomText(5, idAlphabet))
	token.created = time.Now()
	c.mu.Lock()
	c.tokens = append(c.tokens, token)
	c.mu.Unlock()
	writeJSON(w, http.StatusCreated, s.tokenObject(c, token))
}

func (s *server) tokenObjects(c *cluster) []map[string]any {
	c.mu.Lock()
	tokens := append([]*registrationToken(nil), c.tokens...)
	c.mu.Unlock()
	var objects []map[string]any
	for _, token := range tokens {
		if time.Now().After(token.created) {
			objects = append(objects, s.tokenObject(c, token))
		}
	}
	return objects
}

func (s *server) tokenObject(c *cluster, token *registrationToken) map[string]any {
	object := map[string]any{
		"id": token.ID, "type": "clusterRegistrationToken", "baseType": "clusterRegistrationToken",
		"clusterId": c.id, "namespaceId": c.id, "token": "", "state": "active",
		"links": map[string]string{"self": s.url + "/v3/clusterregistrationtokens/" + token.ID},
	}
	if time.Now().After(token.filled) {
		manifest := fmt.Sprintf("%s/v3/import/%s_%s.yaml", s.url, token.Value, c.id)
		object["token"] = token.Value
		object["manifestUrl"] = manifest
		object["command"] = "kubectl apply -f " + manifest
		object["insecureCommand"] = fmt.Sprintf("curl --insecure -sfL %s | kubectl apply -f -", manifest)
	}
	return object
}

// collection sorts by id and cuts one page, as norman's ApplyPagination does: the marker is the id a page begins with.
func (s *server) collection(r *http.Request, kind string, data []map[string]any) map[string]any {
	sort.Slice(data, func(i, j int) bool { return data[i]["id"].(string) < data[j]["id"].(string) })
	limit := s.pageSize
	if n, err := strconv.Atoi(r.URL.Query().Get("limit")); err == nil {
		switch {
		case n == -1 || n > maxPage:
			limit = maxPage
		case n >= 0:
			limit = n
		}
	}
	start := 0
	if marker := r.URL.Query().Get("marker"); marker != "" {
		for i, item := range data {
			if item["id"] == marker {
				start = i
				break
			}
		}
	}
	end := min(start+limit, len(data))
	page := map[string]any{"limit": limit, "total": len(data)}
	at := func(i int) string { return s.pageURL(r, data[i]["id"].(string)) }
	if end > start && end < len(data) {
		page["next"] = at(end)
	}
	if start > 0 {
		page["previous"] = at(max(0, start-limit))
	}
	if start > 0 || end < len(data) {
		page["partial"] = true
		page["first"] = at(0)
	}
	return map[string]any{
		"type": "collection", "resourceType": kind, "pagination": page, "data": data[start:end],
		"links": map[string]string{"self": s.url + r.URL.RequestURI()},
	}
}

func (s *server) pageURL(r *http.Request, marker string) string {
	query := url.Values{}
	for key, values := range r.URL.Query() {
		query[key] = values
	}
	query.Set("marker", marker)
	return s.url + r.URL.Path + "?" + query.Encode()
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// writeError writes an error as norman does.
func writeError(w http.ResponseWriter, status int, code, field, message string) {
	body := map[string]any{"type": "error", "baseType": "error", "status": status, "code": code, "message": message}
	if field != "" {
		body["fieldName"] = field
	}
	writeJSON(w, status, body)
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}
