// Command informers watches one kind with one of the client libraries that controllers are written with, and prints what
// it is told, until its standard input ends: first `synced N`, then `add`, `update` or `delete` with the object's name.
//
//	informers --server URL --token TOKEN --client metadata|dynamic|controller-runtime
//
// KUBE_FEATURE_WatchListClient chooses how client-go begins: with a list, or with a watch that lists.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
)

func main() {
	server := flag.String("server", "", "the API server")
	token := flag.String("token", "", "the bearer token")
	client := flag.String("client", "", "metadata, dynamic or controller-runtime")
	flag.Parse()
	config := &rest.Config{
		Host: *server, BearerToken: *token, UserAgent: "informers-" + *client + "/v1",
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}
	if err := run(config, *client); err != nil {
		log.Fatal(err)
	}
}

func run(config *rest.Config, client string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var registered cache.ResourceEventHandlerRegistration
	count := func() int { return 0 }
	switch client {
	case "metadata":
		shared := metadatainformer.NewSharedInformerFactory(metadata.NewForConfigOrDie(config), 0)
		informer := shared.ForResource(appsv1.SchemeGroupVersion.WithResource("statefulsets")).Informer()
		registered = must(informer.AddEventHandler(printer{}))
		count = func() int { return len(informer.GetStore().List()) }
		shared.Start(ctx.Done())
	case "dynamic":
		shared := dynamicinformer.NewDynamicSharedInformerFactory(dynamic.NewForConfigOrDie(config), 0)
		informer := shared.ForResource(batchv1.SchemeGroupVersion.WithResource("cronjobs")).Informer()
		registered = must(informer.AddEventHandler(printer{}))
		count = func() int { return len(informer.GetStore().List()) }
		shared.Start(ctx.Done())
	case "controller-runtime":
		shared := must(ctrlcache.New(config, ctrlcache.Options{Scheme: scheme()}))
		go func() { _ = shared.Start(ctx) }()
		informer := must(shared.GetInformer(ctx, &policyv1.PodDisruptionBudget{}))
		registered = must(informer.AddEventHandler(printer{}))
		count = func() int {
			var list policyv1.PodDisruptionBudgetList
			if err := shared.List(ctx, &list); err != nil {
				log.Fatal(err)
			}
			return len(list.Items)
		}
	default:
		return fmt.Errorf("--client %q: expected metadata, dynamic or controller-runtime", client)
	}
	if !cache.WaitForCacheSync(ctx.Done(), registered.HasSynced) {
		return fmt.Errorf("%s: not synced before the end", client)
	}
	fmt.Println("synced", count())
	<-ctx.Done()
	return nil
}

// printer prints every event.
type printer struct{}

func (printer) OnAdd(object any, _ bool) { tell("add", object) }
func (printer) OnUpdate(_, object any)   { tell("update", object) }
func (printer) OnDelete(object any)      { tell("delete", object) }

func tell(event string, object any) {
	if gone, ok := object.(cache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	accessor, err := meta.Accessor(object)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event, accessor.GetName())
}

func scheme() *runtime.Scheme { return clientgoscheme.Scheme }

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
