// Command schemas reads what a cluster says of its kinds, as clients do that know none of them, and then reads every object
// there is by these schemas: Rancher's own API by OpenAPI v2, appliers of all kinds by OpenAPI v3. It prints how many
// models, group versions and objects there were.
//
//	schemas --server URL --token TOKEN
package main

import (
	"context"
	"flag"
	"fmt"
	"log"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/openapi3"
	"k8s.io/client-go/rest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/util/proto"
)

func main() {
	server := flag.String("server", "", "the API server")
	token := flag.String("token", "", "the bearer token")
	flag.Parse()
	config := &rest.Config{
		Host: *server, BearerToken: *token, QPS: -1, TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}
	if err := run(config); err != nil {
		log.Fatal(err)
	}
}

func run(config *rest.Config) error {
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	document, err := client.OpenAPISchema()
	if err != nil {
		return fmt.Errorf("OpenAPI v2: %w", err)
	}
	models, err := proto.NewOpenAPIData(document)
	if err != nil {
		return fmt.Errorf("OpenAPI v2: %w", err)
	}
	groups, err := client.ServerPreferredResources()
	if err != nil {
		return err
	}
	root := openapi3.NewRoot(client.OpenAPIV3())
	objects := dynamic.NewForConfigOrDie(config)
	count := 0
	for _, group := range groups {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return err
		}
		spec, err := root.GVSpec(version)
		if err != nil {
			return fmt.Errorf("OpenAPI v3 of %s: %w", version, err)
		}
		converter, err := managedfields.NewTypeConverter(spec.Components.Schemas, false)
		if err != nil {
			return fmt.Errorf("OpenAPI v3 of %s: %w", version, err)
		}
		for _, resource := range group.APIResources {
			if !has(resource.Verbs, "list") {
				continue
			}
			list, err := objects.Resource(version.WithResource(resource.Name)).List(context.Background(), metav1.ListOptions{})
			if err != nil {
				return fmt.Errorf("%s: %w", resource.Name, err)
			}
			for _, object := range list.Items {
				if err := read(converter, object); err != nil {
					return fmt.Errorf("%s %s by its own schema: %w", resource.Name, object.GetName(), err)
				}
				count++
			}
		}
	}
	fmt.Printf("%d models, %d group versions, %d objects\n", len(models.ListModels()), len(groups), count)
	return nil
}

func read(converter managedfields.TypeConverter, object unstructured.Unstructured) error {
	_, err := converter.ObjectToTyped(&object)
	return err
}

func has(verbs []string, wanted string) bool {
	for _, verb := range verbs {
		if verb == wanted {
			return true
		}
	}
	return false
}
