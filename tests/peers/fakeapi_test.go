// A small Kubernetes API in memory, only to let the peer's own tests walk through a cluster's whole life without an agent.
// It is generous where a real kube-apiserver is strict; what the peer expects of an agent is written in the steps themselves.

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

type fakeAPI struct {
	mu       sync.Mutex
	changed  *sync.Cond
	version  int
	objects  map[string]map[string]*unstructured.Unstructured
	events   []fakeEvent
	noStream bool
}

type fakeEvent struct {
	version  int
	resource string
	kind     string
	object   *unstructured.Unstructured
}

// fakeKinds are the served resources by group and version: plural, kind, namespaced.
var fakeKinds = map[string][][3]string{
	"v1": {
		{"namespaces", "Namespace"}, {"nodes", "Node"}, {"resourcequotas", "ResourceQuota", "n"}, {"limitranges", "LimitRange", "n"},
		{"secrets", "Secret", "n"}, {"serviceaccounts", "ServiceAccount", "n"}, {"pods", "Pod", "n"}, {"services", "Service", "n"},
		{"configmaps", "ConfigMap", "n"},
	},
	"apps/v1":                      {{"deployments", "Deployment", "n"}, {"replicasets", "ReplicaSet", "n"}},
	"batch/v1":                     {{"jobs", "Job", "n"}},
	"rbac.authorization.k8s.io/v1": {{"clusterroles", "ClusterRole"}, {"clusterrolebindings", "ClusterRoleBinding"}, {"roles", "Role", "n"}, {"rolebindings", "RoleBinding", "n"}},
	"apiregistration.k8s.io/v1":    {{"apiservices", "APIService"}},
	"coordination.k8s.io/v1":       {{"leases", "Lease", "n"}},
	"discovery.k8s.io/v1":          {{"endpointslices", "EndpointSlice", "n"}},
	"apiextensions.k8s.io/v1":      {{"customresourcedefinitions", "CustomResourceDefinition"}},
	widgetGroup + "/v1":            {{"widgets", "Widget", "n"}},
}

func newFakeAPI() *fakeAPI {
	f := &fakeAPI{version: 100, objects: map[string]map[string]*unstructured.Unstructured{}}
	f.changed = sync.NewCond(&f.mu)
	for _, name := range []string{"default", "kube-system", agentNamespace} {
		f.put("v1/namespaces", "ADDED", f.fill("v1", "Namespace", &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": name},
		}}))
	}
	f.put("v1/nodes", "ADDED", f.fill("v1", "Node", &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "node-1"},
	}}))
	return f
}

func (f *fakeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.URL.Path == "/version":
		fakeJSON(w, 200, map[string]any{"major": "1", "minor": "36", "gitVersion": "v1.36.0"})
	case r.URL.Path == "/readyz":
		_, _ = io.WriteString(w, "ok")
	case strings.HasPrefix(r.URL.Path, "/openapi/v3"):
		fakeOpenAPI(w, strings.Trim(strings.TrimPrefix(r.URL.Path, "/openapi/v3"), "/"))
	case r.URL.Path == "/api":
		fakeJSON(w, 200, map[string]any{"kind": "APIVersions", "versions": []string{"v1"}})
	case r.URL.Path == "/apis":
		fakeJSON(w, 200, map[string]any{"kind": "APIGroupList", "apiVersion": "v1", "groups": fakeGroups()})
	case len(parts) == 2 && parts[0] == "api":
		fakeJSON(w, 200, fakeResources("v1"))
	case len(parts) == 3 && parts[0] == "apis":
		fakeJSON(w, 200, fakeResources(parts[1]+"/"+parts[2]))
	case len(parts) > 2 && parts[0] == "api":
		f.resource(w, r, "v1", parts[2:])
	case len(parts) > 3 && parts[0] == "apis":
		f.resource(w, r, parts[1]+"/"+parts[2], parts[3:])
	default:
		fakeStatus(w, 404, "NotFound", r.URL.Path)
	}
}

// fakeOpenAPI is the least that satisfies kubectl: the index, and for each kind a patch operation with fieldValidation.
func fakeOpenAPI(w http.ResponseWriter, path string) {
	paths := map[string]any{}
	for name, kinds := range fakeKinds {
		group, version, found := strings.Cut(name, "/")
		key := "apis/" + name
		if !found {
			group, version, key = "", name, "api/"+name
		}
		if path == "" {
			paths[key] = map[string]any{"serverRelativeURL": "/openapi/v3/" + key + "?hash=1"}
			continue
		}
		for _, kind := range kinds {
			if path == key {
				paths["/"+key+"/"+kind[0]+"/{name}"] = map[string]any{"patch": map[string]any{
					"parameters":                      []any{map[string]any{"name": "fieldValidation", "in": "query"}},
					"x-kubernetes-group-version-kind": map[string]any{"group": group, "version": version, "kind": kind[1]},
				}}
			}
		}
	}
	fakeJSON(w, 200, map[string]any{"openapi": "3.0.0", "info": map[string]any{"title": "fake", "version": "1"}, "paths": paths})
}

func fakeGroups() []any {
	var groups []any
	for name := range fakeKinds {
		if group, version, ok := strings.Cut(name, "/"); ok {
			one := map[string]string{"groupVersion": name, "version": version}
			groups = append(groups, map[string]any{"name": group, "versions": []any{one}, "preferredVersion": one})
		}
	}
	return groups
}

func fakeResources(groupVersion string) map[string]any {
	var resources []any
	for _, one := range fakeKinds[groupVersion] {
		resources = append(resources, map[string]any{
			"name": one[0], "kind": one[1], "namespaced": one[2] == "n", "verbs": []string{"get", "list", "watch", "create"},
		})
	}
	return map[string]any{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": groupVersion, "resources": resources}
}

func (f *fakeAPI) resource(w http.ResponseWriter, r *http.Request, groupVersion string, rest []string) {
	namespace := ""
	if rest[0] == "namespaces" && len(rest) > 2 {
		namespace, rest = rest[1], rest[2:]
	}
	kind := ""
	for _, one := range fakeKinds[groupVersion] {
		if one[0] == rest[0] {
			kind = one[1]
		}
	}
	resource := groupVersion + "/" + rest[0]
	if len(rest) == 3 && rest[2] == "token" || strings.HasSuffix(rest[0], "reviews") {
		f.review(w, r, rest)
		return
	}
	switch {
	case kind == "":
		fakeStatus(w, 404, "NotFound", resource)
	case r.Method == http.MethodPost:
		f.create(w, r, groupVersion, resource, kind, namespace)
	case len(rest) == 1 && r.URL.Query().Get("watch") == "true":
		f.watch(w, r, groupVersion, resource, kind, namespace)
	case len(rest) == 1:
		f.list(w, r, groupVersion, resource, kind, namespace)
	default:
		f.one(w, r, resource, namespace, rest[1])
	}
}

// review says yes to everything; the identity of every token is the default account.
func (f *fakeAPI) review(w http.ResponseWriter, r *http.Request, _ []string) {
	object, err := fakeDecode(r)
	if err != nil {
		fakeStatus(w, 400, "BadRequest", err.Error())
		return
	}
	object.Object["status"] = map[string]any{
		"token": "minted", "expirationTimestamp": time.Now().Add(time.Hour).UTC().Format(time.RFC3339), "allowed": true,
		"authenticated": true, "user": map[string]any{"username": "system:serviceaccount:default:default"},
	}
	fakeJSON(w, 201, object.Object)
}

// fakeDecode reads JSON or protobuf.
func fakeDecode(r *http.Request) (*unstructured.Unstructured, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if r.Header.Get("Content-Type") == contentProtobuf {
		decoded, kind, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
		if err != nil {
			return nil, err
		}
		plain, err := runtime.DefaultUnstructuredConverter.ToUnstructured(decoded)
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{Object: plain}
		object.SetGroupVersionKind(*kind)
		return object, nil
	}
	object := &unstructured.Unstructured{}
	return object, json.Unmarshal(body, &object.Object)
}

func (f *fakeAPI) fill(groupVersion, kind string, object *unstructured.Unstructured) *unstructured.Unstructured {
	object.SetAPIVersion(groupVersion)
	object.SetKind(kind)
	object.SetUID("uid-" + "0000")
	if created := object.GetCreationTimestamp(); created.IsZero() {
		object.SetCreationTimestamp(metav1Now())
	}
	switch kind {
	case "Namespace":
		_ = unstructured.SetNestedStringSlice(object.Object, []string{"kubernetes"}, "spec", "finalizers")
		_ = unstructured.SetNestedField(object.Object, "Active", "status", "phase")
	case "Secret":
		account := object.GetAnnotations()[accountAnnotation]
		if account != "" {
			object.Object["data"] = map[string]any{
				"token": "dG9rZW4=", "ca.crt": "Y2E=", "namespace": encodeText(object.GetNamespace()),
			}
			annotations := object.GetAnnotations()
			annotations["kubernetes.io/service-account.uid"] = "uid-0000"
			object.SetAnnotations(annotations)
		}
	case "CustomResourceDefinition":
		_ = unstructured.SetNestedSlice(object.Object, []any{map[string]any{"type": "Established", "status": "True"}}, "status", "conditions")
	}
	return object
}

// put stores an object and tells the watches; the lock is held, or nobody else knows of f yet.
func (f *fakeAPI) put(resource, event string, object *unstructured.Unstructured) {
	f.version++
	object.SetResourceVersion(strconv.Itoa(f.version))
	if f.objects[resource] == nil {
		f.objects[resource] = map[string]*unstructured.Unstructured{}
	}
	key := object.GetNamespace() + "/" + object.GetName()
	if event == "DELETED" {
		delete(f.objects[resource], key)
	} else {
		f.objects[resource][key] = object
	}
	f.events = append(f.events, fakeEvent{f.version, resource, event, object})
	f.changed.Broadcast()
}

func (f *fakeAPI) create(w http.ResponseWriter, r *http.Request, groupVersion, resource, kind, namespace string) {
	object, err := fakeDecode(r)
	if err != nil {
		fakeStatus(w, 400, "BadRequest", err.Error())
		return
	}
	if namespace != "" {
		object.SetNamespace(namespace)
	} else {
		object.SetNamespace("")
	}
	if object.GetName() == "" {
		object.SetName(object.GetGenerateName() + randomText(5, idAlphabet))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.objects[resource][namespace+"/"+object.GetName()] != nil {
		fakeStatus(w, 409, "AlreadyExists", object.GetName())
		return
	}
	f.put(resource, "ADDED", f.fill(groupVersion, kind, object))
	fakeJSON(w, 201, object.Object)
}

func (f *fakeAPI) one(w http.ResponseWriter, r *http.Request, resource, namespace, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := f.objects[resource][namespace+"/"+name]
	if found == nil {
		fakeStatus(w, 404, "NotFound", name)
		return
	}
	switch r.Method {
	case http.MethodGet:
		fakeJSON(w, 200, found.Object)
	case http.MethodDelete:
		f.put(resource, "DELETED", found.DeepCopy())
		if resource == "v1/namespaces" {
			f.purge(name)
		}
		fakeJSON(w, 200, found.Object)
	case http.MethodPut:
		object, err := fakeDecode(r)
		if err != nil {
			fakeStatus(w, 400, "BadRequest", err.Error())
			return
		}
		if object.GetResourceVersion() != found.GetResourceVersion() {
			fakeStatus(w, 409, "Conflict", name)
			return
		}
		f.put(resource, "MODIFIED", object)
		fakeJSON(w, 200, object.Object)
	case http.MethodPatch:
		f.patch(w, r, resource, found)
	}
}

func (f *fakeAPI) purge(namespace string) {
	for resource, objects := range f.objects {
		for key, object := range objects {
			if strings.HasPrefix(key, namespace+"/") {
				f.put(resource, "DELETED", object.DeepCopy())
			}
		}
	}
}

func (f *fakeAPI) patch(w http.ResponseWriter, r *http.Request, resource string, found *unstructured.Unstructured) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	before, _ := json.Marshal(found.Object)
	after := before
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json-patch") {
		var patch jsonpatch.Patch
		if patch, err = jsonpatch.DecodePatch(body); err == nil {
			after, err = patch.Apply(before)
		}
	} else {
		after, err = jsonpatch.MergePatch(before, body)
	}
	object := &unstructured.Unstructured{}
	if err == nil {
		err = json.Unmarshal(after, &object.Object)
	}
	if err != nil {
		fakeStatus(w, 400, "BadRequest", err.Error())
		return
	}
	f.put(resource, "MODIFIED", object)
	fakeJSON(w, 200, object.Object)
}

type fakeFilter struct {
	namespace string
	labels    labels.Selector
	fields    fields.Selector
}

func newFakeFilter(r *http.Request, namespace string) fakeFilter {
	query := r.URL.Query()
	byLabel, _ := labels.Parse(query.Get("labelSelector"))
	byField, _ := fields.ParseSelector(query.Get("fieldSelector"))
	return fakeFilter{namespace, byLabel, byField}
}

func (m fakeFilter) matches(object *unstructured.Unstructured) bool {
	known := fields.Set{"metadata.name": object.GetName(), "metadata.namespace": object.GetNamespace()}
	return (m.namespace == "" || object.GetNamespace() == m.namespace) &&
		m.labels.Matches(labels.Set(object.GetLabels())) && m.fields.Matches(known)
}

func (f *fakeAPI) matching(resource string, filter fakeFilter) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for _, object := range f.objects[resource] {
		if filter.matches(object) {
			found = append(found, object)
		}
	}
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	return found
}

func (f *fakeAPI) list(w http.ResponseWriter, r *http.Request, groupVersion, resource, kind, namespace string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	items := []any{}
	for _, object := range f.matching(resource, newFakeFilter(r, namespace)) {
		items = append(items, object.Object)
	}
	fakeJSON(w, 200, map[string]any{
		"apiVersion": groupVersion, "kind": kind + "List",
		"metadata": map[string]any{"resourceVersion": strconv.Itoa(f.version)}, "items": items,
	})
}

func (f *fakeAPI) watch(w http.ResponseWriter, r *http.Request, groupVersion, resource, kind, namespace string) {
	query := r.URL.Query()
	filter := newFakeFilter(r, namespace)
	initial := query.Get("sendInitialEvents") == "true"
	if initial && f.noStream {
		fakeStatus(w, 422, "Invalid", "sendInitialEvents is forbidden")
		return
	}
	w.Header().Set("Content-Type", contentJSON)
	w.WriteHeader(200)
	w.(http.Flusher).Flush()
	send := func(event string, object *unstructured.Unstructured) {
		_ = json.NewEncoder(w).Encode(map[string]any{"type": event, "object": object.Object})
		w.(http.Flusher).Flush()
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-r.Context().Done():
		case <-stop:
		}
		f.changed.Broadcast()
	}()

	f.mu.Lock()
	defer f.mu.Unlock()
	since, _ := strconv.Atoi(query.Get("resourceVersion"))
	if initial {
		for _, object := range f.matching(resource, filter) {
			send("ADDED", object)
		}
		since = f.version
		mark := &unstructured.Unstructured{Object: map[string]any{"apiVersion": groupVersion, "kind": kind, "metadata": map[string]any{
			"resourceVersion": strconv.Itoa(since), "annotations": map[string]any{initialEventsEnd: "true"},
		}}}
		send("BOOKMARK", mark)
	}
	for r.Context().Err() == nil {
		for _, event := range f.events {
			if event.version > since && event.resource == resource && filter.matches(event.object) {
				send(event.kind, event.object)
			}
		}
		since = f.version
		f.changed.Wait()
	}
}

func fakeJSON(w http.ResponseWriter, status int, body any) { writeJSON(w, status, body) }

func fakeStatus(w http.ResponseWriter, code int, reason, message string) {
	writeJSON(w, code, map[string]any{
		"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
		"message": fmt.Sprintf("%s: %s", reason, message),
	})
}
