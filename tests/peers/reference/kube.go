// The prepared answers: one set for all clusters.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const version = `{"major":"1","minor":"31","gitVersion":"v1.31.4","platform":"linux/amd64"}`

type object = map[string]any

type kube struct {
	// resources by the path of their cluster-wide list.
	resources map[string]*resource
	revision  atomic.Int64
	report    time.Duration
}

// resource is what a list of one kind is answered with.
type resource struct {
	list    []byte            // a whole List
	initial []byte            // ADDED events and the bookmark that ends them
	objects map[string][]byte // by namespace/name
	nodes   bool
}

func newKube(rendered []byte, report time.Duration) (*kube, error) {
	var all []object
	if err := json.Unmarshal(rendered, &all); err != nil {
		return nil, err
	}
	k := &kube{resources: map[string]*resource{}, report: report}
	k.revision.Store(int64(len(all)) + 1000)
	byPath := map[string][]object{}
	for _, one := range all {
		path := listPath(one)
		byPath[path] = append(byPath[path], one)
	}
	for path, objects := range byPath {
		r, err := k.prepare(objects)
		if err != nil {
			return nil, err
		}
		r.nodes = path == "/api/v1/nodes"
		k.resources[path] = r
	}
	return k, nil
}

func (k *kube) prepare(objects []object) (*resource, error) {
	r := &resource{objects: map[string][]byte{}}
	apiVersion, kind := "v1", "List"
	var initial bytes.Buffer
	for i, one := range objects {
		metadata := metadataOf(one)
		metadata["resourceVersion"] = strconv.Itoa(100 + i)
		metadata["uid"] = fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
		apiVersion, kind = one["apiVersion"].(string), one["kind"].(string)+"List"
		text, err := json.Marshal(one)
		if err != nil {
			return nil, err
		}
		namespace, _ := metadata["namespace"].(string)
		r.objects[namespace+"/"+metadata["name"].(string)] = text
		fmt.Fprintf(&initial, `{"type":"ADDED","object":%s}`+"\n", text)
	}
	fmt.Fprintf(&initial, `{"type":"BOOKMARK","object":{"apiVersion":%q,"kind":%q,"metadata":{"resourceVersion":"%d",`+
		`"annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", apiVersion, strings.TrimSuffix(kind, "List"), k.revision.Load())
	r.initial = initial.Bytes()
	var err error
	r.list, err = json.Marshal(object{
		"apiVersion": apiVersion,
		"kind":       kind,
		"metadata":   object{"resourceVersion": strconv.FormatInt(k.revision.Load(), 10)},
		"items":      objects,
	})
	return r, err
}

// listPath is the path of the cluster-wide list that an object is in.
func listPath(one object) string {
	plural := strings.ToLower(one["kind"].(string)) + "s"
	if strings.HasSuffix(plural, "ys") {
		plural = strings.TrimSuffix(plural, "ys") + "ies"
	}
	version := one["apiVersion"].(string)
	if strings.Contains(version, "/") {
		return "/apis/" + version + "/" + plural
	}
	return "/api/" + version + "/" + plural
}

func metadataOf(one object) object {
	metadata, ok := one["metadata"].(object)
	if !ok {
		metadata = object{}
		one["metadata"] = metadata
	}
	return metadata
}

func (k *kube) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/readyz":
		_, _ = io.WriteString(w, "ok")
	case r.URL.Path == "/version":
		_, _ = io.WriteString(w, version)
	case r.URL.Path == "/api" || r.URL.Path == "/apis":
		_, _ = io.WriteString(w, `{"kind":"APIGroupDiscoveryList","apiVersion":"apidiscovery.k8s.io/v2","items":[]}`)
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		k.write(w, r)
	case r.URL.Query().Get("watch") == "true":
		k.watch(w, r)
	default:
		k.read(w, r)
	}
}

// split takes a path apart into that of the cluster-wide list, the namespace and the name.
func split(path string) (list, namespace, name string) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	root := 2
	if parts[0] == "apis" {
		root = 3
	}
	if len(parts) < root {
		return path, "", ""
	}
	rest := parts[root:]
	if len(rest) > 2 && rest[0] == "namespaces" {
		namespace, rest = rest[1], rest[2:]
	}
	if len(rest) == 0 {
		return path, "", ""
	}
	if len(rest) > 1 {
		name = rest[1]
	}
	return "/" + strings.Join(parts[:root], "/") + "/" + rest[0], namespace, name
}

func (k *kube) read(w http.ResponseWriter, r *http.Request) {
	list, namespace, name := split(r.URL.Path)
	found := k.resources[list]
	switch {
	case strings.HasPrefix(r.URL.Path, "/apis/k3s.cattle.io"):
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
	case name == "" && found != nil && namespace == "":
		_, _ = w.Write(found.list)
	case name == "":
		_, _ = io.WriteString(w, `{"kind":"List","apiVersion":"v1","metadata":{"resourceVersion":"1000"},"items":[]}`)
	case found != nil && found.objects[namespace+"/"+name] != nil:
		_, _ = w.Write(found.objects[namespace+"/"+name])
	default:
		// Something that was written: it has what the writer looks for.
		_, _ = fmt.Fprintf(w, `{"metadata":{"name":%q,"namespace":%q,"uid":"00000000-0000-4000-8000-000000000000",`+
			`"resourceVersion":"1000"},"spec":{"template":{"spec":{"containers":[{"image":"rancher/rancher-agent"}]}}}}`, name, namespace)
	}
}

func (k *kube) write(w http.ResponseWriter, r *http.Request) {
	var written object
	if err := json.NewDecoder(r.Body).Decode(&written); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	metadata := metadataOf(written)
	if metadata["name"] == nil {
		metadata["name"] = fmt.Sprint(metadata["generateName"], "x")
	}
	metadata["uid"] = "00000000-0000-4000-8000-000000000000"
	metadata["resourceVersion"] = strconv.FormatInt(k.revision.Add(1), 10)
	if written["type"] == "kubernetes.io/service-account-token" {
		written["data"] = object{"token": "dG9rZW4=", "ca.crt": "Y2E=", "namespace": "bnM="}
	}
	if r.Method == http.MethodPost {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(written)
}

func (k *kube) watch(w http.ResponseWriter, r *http.Request) {
	list, namespace, _ := split(r.URL.Path)
	found := k.resources[list]
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		if found != nil && namespace == "" && r.URL.Query().Get("fieldSelector") == "" {
			_, _ = w.Write(found.initial)
		} else {
			_, _ = fmt.Fprintf(w, `{"type":"BOOKMARK","object":{"apiVersion":"v1","kind":"Any","metadata":{"resourceVersion":"%d",`+
				`"annotations":{"k8s.io/initial-events-end":"true"}}}}`+"\n", k.revision.Load())
		}
	}
	w.(http.Flusher).Flush()
	seconds, err := strconv.Atoi(r.URL.Query().Get("timeoutSeconds"))
	if err != nil {
		seconds = 300
	}
	end := time.After(time.Duration(seconds) * time.Second)
	var reports <-chan time.Time
	if found != nil && found.nodes && k.report > 0 {
		ticker := time.NewTicker(k.report)
		defer ticker.Stop()
		reports = ticker.C
	}
	for {
		select {
		case <-r.Context().Done():
			return
		case <-end:
			return
		case <-reports:
			revision := strconv.FormatInt(k.revision.Add(1), 10)
			for _, node := range found.objects {
				// The rest of the old revision stays behind in a field of its own: cheaper than to parse and print the node.
				event := bytes.Replace(node, []byte(`"resourceVersion":"1`), []byte(`"resourceVersion":"`+revision+`","was":"1`), 1)
				_, _ = fmt.Fprintf(w, `{"type":"MODIFIED","object":%s}`+"\n", event)
			}
			w.(http.Flusher).Flush()
		}
	}
}
