// The watches Rancher keeps on an imported cluster, made with real client-go shared informers (rancher-protocol §4.9):
// twelve that every plain cluster has, and eight more on demand. Each counts what it asked for and what it was told, so
// that a watch that loops, loses events or goes back in time shows.

package main

import (
	"context"
	"fmt"
	"net/url"
	"sort"
	"strconv"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	impersonationNamespace = "cattle-impersonation-system"

	// initialEventsEnd marks the bookmark after the initial events of a watch-list.
	initialEventsEnd = metav1.InitialEventsAnnotationKey
)

// kindSpec is one watch: what, where, and by which kind of client. Without newObject the dynamic client is used.
type kindSpec struct {
	name          string
	gvr           schema.GroupVersionResource
	namespace     string
	fieldSelector string
	newObject     func() runtime.Object
	newList       func() runtime.Object
}

var (
	coreV1     = corev1.SchemeGroupVersion
	rbacV1     = rbacv1.SchemeGroupVersion
	secrets    = coreV1.WithResource("secrets")
	newSecret  = func() runtime.Object { return &corev1.Secret{} }
	newSecrets = func() runtime.Object { return &corev1.SecretList{} }
)

// rancherKinds are the twelve watches of a plain imported cluster.
var rancherKinds = []kindSpec{
	{
		name: "namespaces", gvr: coreV1.WithResource("namespaces"),
		newObject: func() runtime.Object { return &corev1.Namespace{} },
		newList:   func() runtime.Object { return &corev1.NamespaceList{} },
	},
	{
		name: "nodes", gvr: coreV1.WithResource("nodes"),
		newObject: func() runtime.Object { return &corev1.Node{} },
		newList:   func() runtime.Object { return &corev1.NodeList{} },
	},
	{name: "resourcequotas", gvr: coreV1.WithResource("resourcequotas")},
	{name: "limitranges", gvr: coreV1.WithResource("limitranges")},
	{
		name: "impersonation-secrets", gvr: secrets, namespace: impersonationNamespace,
		newObject: newSecret, newList: newSecrets,
	},
	{
		name: "impersonation-serviceaccounts", gvr: coreV1.WithResource("serviceaccounts"), namespace: impersonationNamespace,
		newObject: func() runtime.Object { return &corev1.ServiceAccount{} },
		newList:   func() runtime.Object { return &corev1.ServiceAccountList{} },
	},
	{
		name: "stv-aggregation-secret", gvr: secrets,
		fieldSelector: "metadata.namespace=cattle-system,metadata.name=stv-aggregation",
		newObject:     newSecret, newList: newSecrets,
	},
	{
		name: "clusterroles", gvr: rbacV1.WithResource("clusterroles"),
		newObject: func() runtime.Object { return &rbacv1.ClusterRole{} },
		newList:   func() runtime.Object { return &rbacv1.ClusterRoleList{} },
	},
	{
		name: "clusterrolebindings", gvr: rbacV1.WithResource("clusterrolebindings"),
		newObject: func() runtime.Object { return &rbacv1.ClusterRoleBinding{} },
		newList:   func() runtime.Object { return &rbacv1.ClusterRoleBindingList{} },
	},
	{
		name: "roles", gvr: rbacV1.WithResource("roles"),
		newObject: func() runtime.Object { return &rbacv1.Role{} },
		newList:   func() runtime.Object { return &rbacv1.RoleList{} },
	},
	{
		name: "rolebindings", gvr: rbacV1.WithResource("rolebindings"),
		newObject: func() runtime.Object { return &rbacv1.RoleBinding{} },
		newList:   func() runtime.Object { return &rbacv1.RoleBindingList{} },
	},
	{
		name: "apiservices",
		gvr:  schema.GroupVersionResource{Group: "apiregistration.k8s.io", Version: "v1", Resource: "apiservices"},
	},
}

// extraKinds are watched on demand.
var extraKinds = []kindSpec{
	{
		name: "pods", gvr: coreV1.WithResource("pods"),
		newObject: func() runtime.Object { return &corev1.Pod{} },
		newList:   func() runtime.Object { return &corev1.PodList{} },
	},
	{
		name: "leases",
		gvr:  schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
	},
	{
		name: "services", gvr: coreV1.WithResource("services"),
		newObject: func() runtime.Object { return &corev1.Service{} },
		newList:   func() runtime.Object { return &corev1.ServiceList{} },
	},
	{name: "configmaps", gvr: coreV1.WithResource("configmaps")},
	{name: "secrets", gvr: secrets, newObject: newSecret, newList: newSecrets},
	{
		name: "deployments", gvr: appsv1.SchemeGroupVersion.WithResource("deployments"),
		newObject: func() runtime.Object { return &appsv1.Deployment{} },
		newList:   func() runtime.Object { return &appsv1.DeploymentList{} },
	},
	{name: "replicasets", gvr: appsv1.SchemeGroupVersion.WithResource("replicasets")},
	{
		name: "endpointslices",
		gvr:  schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	},
}

// kind is one running watch and its record.
type kind struct {
	kindSpec
	informer cache.SharedIndexInformer
	list     func(context.Context, metav1.ListOptions) (runtime.Object, error)
	watch    func(context.Context, metav1.ListOptions) (watch.Interface, error)

	mu            sync.Mutex
	started       time.Time
	synced        time.Time
	watchList     bool
	lists         int
	listPages     int
	watches       int
	watchLists    int
	events        map[watch.EventType]int
	initialEnds   int
	causes        int
	watchErrors   []failure
	fallbacks     int
	rvRegressions int
	lastList      string
	lastWatch     string
	stopped       bool
}

// IsWatchListSemanticsUnSupported lets one informer use LIST and WATCH in a process whose client-go prefers watch-lists.
func (k *kind) IsWatchListSemanticsUnSupported() bool { return !k.watchList }

// List implements cache.ListerWatcher; the reflector uses ListWithContext.
func (k *kind) List(options metav1.ListOptions) (runtime.Object, error) {
	return k.ListWithContext(context.Background(), options)
}

// Watch implements cache.ListerWatcher; the reflector uses WatchWithContext.
func (k *kind) Watch(options metav1.ListOptions) (watch.Interface, error) {
	return k.WatchWithContext(context.Background(), options)
}

// ListWithContext lists one page. Lasso asks without resourceVersion where a reflector says "0", so that pages are honoured.
func (k *kind) ListWithContext(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	if options.ResourceVersion == "0" {
		options.ResourceVersion = ""
	}
	options.FieldSelector = k.fieldSelector
	k.mu.Lock()
	k.listPages++
	if options.Continue == "" {
		k.lists++
		if k.watchList {
			k.fallbacks++
		}
	}
	k.lastList = queryOf(options)
	k.mu.Unlock()
	return k.list(ctx, options)
}

// WatchWithContext opens one watch and counts its events on their way to the reflector.
func (k *kind) WatchWithContext(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.FieldSelector = k.fieldSelector
	initial := options.SendInitialEvents != nil && *options.SendInitialEvents
	k.mu.Lock()
	if initial {
		k.watchLists++
	} else {
		k.watches++
	}
	k.lastWatch = queryOf(options)
	k.mu.Unlock()

	stream, err := k.watch(ctx, options)
	if err != nil {
		if initial {
			k.explain()
		}
		return nil, err
	}
	seen := &streamState{ordered: !initial && options.ResourceVersion != "" && options.ResourceVersion != "0"}
	return watch.Filter(stream, func(event watch.Event) (watch.Event, bool) {
		k.count(event, seen)
		return event, true
	}), nil
}

// streamState follows the resourceVersions of one watch stream. Initial events come in any order.
type streamState struct {
	ordered bool
	last    uint64
}

func (k *kind) count(event watch.Event, seen *streamState) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.events[event.Type]++
	if event.Type == watch.Error {
		k.causes++
		return
	}
	object, err := meta.Accessor(event.Object)
	if err != nil {
		return
	}
	version, err := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	if err != nil {
		k.rvRegressions++
		return
	}
	bookmark := event.Type == watch.Bookmark
	if seen.ordered && (version < seen.last || (version == seen.last && !bookmark)) {
		k.rvRegressions++
	}
	seen.last = max(seen.last, version)
	if bookmark && object.GetAnnotations()[initialEventsEnd] == "true" {
		k.initialEnds++
		seen.ordered = true
	}
}

// unexplainedLocked is how often the whole content was asked for again without an error that explains it. The causes
// are, each once: an ERROR event, a refused watch-list, and what reaches the watch error handler.
func (k *kind) unexplainedLocked() int {
	return max(0, k.lists+k.watchLists-1-k.causes)
}

// explain counts a reason for the reflector to ask for the whole content again.
func (k *kind) explain() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.causes++
}

// trouble records what the reflector complained about.
func (k *kind) trouble(c *cluster, text string) {
	c.fail("informer "+k.name, "watch error, expected none: %s", text)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.watchErrors) < maxRecords {
		k.watchErrors = append(k.watchErrors, failure{Time: time.Now().UTC(), Step: k.name, Message: text})
	}
}

// queryOf is the query a list or watch sends, without its random timeout.
func queryOf(options metav1.ListOptions) string {
	options.TimeoutSeconds = nil
	values, err := scheme.ParameterCodec.EncodeParameters(&options, metav1.SchemeGroupVersion)
	if err != nil {
		return err.Error()
	}
	return url.Values(values).Encode()
}

func (s *server) newKind(spec kindSpec, cl *clients, watchList bool) *kind {
	k := &kind{kindSpec: spec, watchList: watchList, started: time.Now(), events: map[watch.EventType]int{}}
	if spec.newObject == nil {
		resource := cl.watcher.Resource(spec.gvr).Namespace(spec.namespace)
		k.list = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return resource.List(ctx, options)
		}
		k.watch = resource.Watch
		k.informer = cache.NewSharedIndexInformer(k, &unstructured.Unstructured{}, 0, cache.Indexers{})
		return k
	}
	client := restClientFor(cl, spec.gvr.Group)
	request := func(options metav1.ListOptions) *rest.Request {
		call := client.Get().
			NamespaceIfScoped(spec.namespace, spec.namespace != "").
			Resource(spec.gvr.Resource).
			VersionedParams(&options, scheme.ParameterCodec)
		if options.TimeoutSeconds != nil {
			call = call.Timeout(time.Duration(*options.TimeoutSeconds) * time.Second)
		}
		return call
	}
	k.list = func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list := spec.newList()
		return list, request(options).Do(ctx).Into(list)
	}
	k.watch = func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
		options.Watch = true
		return request(options).Watch(ctx)
	}
	k.informer = cache.NewSharedIndexInformer(k, spec.newObject(), 0, cache.Indexers{})
	return k
}

func restClientFor(cl *clients, group string) rest.Interface {
	switch group {
	case rbacV1.Group:
		return cl.informers.RbacV1().RESTClient()
	case appsv1.GroupName:
		return cl.informers.AppsV1().RESTClient()
	}
	return cl.informers.CoreV1().RESTClient()
}

// startKinds starts those watches that do not run yet and returns all of them.
func (s *server) startKinds(ctx context.Context, c *cluster, cl *clients, specs []kindSpec, watchList bool) []*kind {
	var wanted []*kind
	for _, spec := range specs {
		if running := c.runningKind(spec.name); running != nil {
			wanted = append(wanted, running)
			continue
		}
		k := s.newKind(spec, cl, watchList)
		s.observe(c, k)
		c.mu.Lock()
		c.kinds = append(c.kinds, k)
		c.mu.Unlock()
		go func() {
			k.informer.RunWithContext(klog.NewContext(ctx, clusterLogger(s, c, k)))
			k.mu.Lock()
			k.stopped = true
			k.mu.Unlock()
		}()
		wanted = append(wanted, k)
	}
	return wanted
}

func (c *cluster) runningKind(name string) *kind {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.kinds {
		k.mu.Lock()
		found := k.name == name && !k.stopped
		k.mu.Unlock()
		if found {
			return k
		}
	}
	return nil
}

// observe adds the handlers: errors always, and for nodes and leases who beats when.
func (s *server) observe(c *cluster, k *kind) {
	_ = k.informer.SetWatchErrorHandlerWithContext(func(_ context.Context, _ *cache.Reflector, err error) {
		if c.ctx.Err() == nil {
			k.explain()
			k.trouble(c, err.Error())
		}
	})
	switch k.name {
	case "nodes":
		_, _ = k.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(object any) { c.nodeSeen(object, true) },
			DeleteFunc: func(object any) { c.nodeSeen(object, false) },
			UpdateFunc: func(_, object any) { c.addHeartbeat("node", nameOf(object)) },
		})
	case "leases":
		_, _ = k.informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			UpdateFunc: func(_, object any) { c.addHeartbeat("lease", nameOf(object)) },
		})
	}
}

func nameOf(object any) string {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		return ""
	}
	return accessor.GetName()
}

func (c *cluster) nodeSeen(object any, present bool) {
	name := nameOf(object)
	c.mu.Lock()
	defer c.mu.Unlock()
	if present {
		c.nodes[name] = true
		c.stageLocked("firstNode")
	} else {
		delete(c.nodes, name)
	}
	c.updatedLocked()
}

// updatedLocked computes the condition Updated: a known version and at least one node (§5.1).
func (c *cluster) updatedLocked() {
	if c.version != "" && len(c.nodes) > 0 {
		c.setConditionLocked("Updated", "True", "", "")
	} else {
		c.setConditionLocked("Updated", "Unknown", "", "[Pending] waiting for full cluster configuration")
	}
}

// waitForKinds waits until all are synced and returns the names of those that are not.
func waitForKinds(ctx context.Context, kinds []*kind, limit time.Duration) []string {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	var late []string
	for _, k := range kinds {
		select {
		case <-k.informer.HasSyncedChecker().Done():
			k.markSynced()
			continue
		default:
		}
		select {
		case <-k.informer.HasSyncedChecker().Done():
			k.markSynced()
		case <-ctx.Done():
			return nil
		case <-deadline.C:
			deadline.Reset(0)
			late = append(late, k.name)
		}
	}
	sort.Strings(late)
	return late
}

func (k *kind) markSynced() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.synced.IsZero() {
		k.synced = time.Now()
	}
}

// verify compares what an informer holds with a fresh LIST; a difference that stays is a lost or invented event.
func (k *kind) verify(ctx context.Context) error {
	var difference error
	for range 20 {
		fresh, err := k.freshVersions(ctx)
		if err != nil {
			return fmt.Errorf("fresh list of %s: %w", k.name, err)
		}
		held := map[string]string{}
		for _, object := range k.informer.GetStore().List() {
			if accessor, err := meta.Accessor(object); err == nil {
				held[accessor.GetNamespace()+"/"+accessor.GetName()] = accessor.GetResourceVersion()
			}
		}
		if difference = compareVersions(k.name, held, fresh); difference == nil {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return difference
}

func (k *kind) freshVersions(ctx context.Context) (map[string]string, error) {
	list, err := k.list(ctx, metav1.ListOptions{FieldSelector: k.fieldSelector})
	if err != nil {
		return nil, err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return nil, err
	}
	fresh := map[string]string{}
	for _, item := range items {
		accessor, err := meta.Accessor(item)
		if err != nil {
			return nil, err
		}
		fresh[accessor.GetNamespace()+"/"+accessor.GetName()] = accessor.GetResourceVersion()
	}
	return fresh, nil
}

func compareVersions(name string, held, fresh map[string]string) error {
	for key, version := range fresh {
		if held[key] != version {
			return fmt.Errorf("%s: the informer holds %s at resourceVersion %q, a fresh list says %q", name, key, held[key], version)
		}
	}
	for key, version := range held {
		if _, ok := fresh[key]; !ok {
			return fmt.Errorf("%s: the informer holds %s at resourceVersion %q, a fresh list has it no more", name, key, version)
		}
	}
	return nil
}
