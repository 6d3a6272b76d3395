// A custom resource from its definition to its watch, with the dynamic client (rancher-protocol §6, apiextensions).

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	widgetGroup       = "peer.example.io"
	establishedBudget = 10 * time.Second
)

var (
	definitions = schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	}
	widgets = schema.GroupVersionResource{Group: widgetGroup, Version: "v1", Resource: "widgets"}
)

func (s *server) customResources(ctx context.Context, _ *cluster, cl *clients) error {
	crds := cl.dynamic.Resource(definitions)
	name := widgets.GroupResource().String()
	if _, err := crds.Create(ctx, widgetDefinition(name), metav1.CreateOptions{}); ignoreExisting(err) != nil {
		return fmt.Errorf("POST customresourcedefinition %s: expected 201, got: %w", name, err)
	}
	if err := waitEstablished(ctx, cl, name); err != nil {
		return err
	}
	if err := useWidgets(ctx, cl); err != nil {
		return err
	}
	if err := crds.Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("DELETE customresourcedefinition %s: expected 200, got: %w", name, err)
	}
	return nil
}

func widgetDefinition(name string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": definitions.GroupVersion().String(),
		"kind":       "CustomResourceDefinition",
		"metadata":   map[string]any{"name": name},
		"spec": map[string]any{
			"group": widgetGroup,
			"scope": "Namespaced",
			"names": map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "x-kubernetes-preserve-unknown-fields": true,
				}},
			}},
		},
	}}
}

func waitEstablished(ctx context.Context, cl *clients, name string) error {
	deadline := time.Now().Add(establishedBudget)
	for {
		crd, err := cl.dynamic.Resource(definitions).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("GET customresourcedefinition %s: expected 200, got: %w", name, err)
		}
		conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
		for _, one := range conditions {
			fields, _ := one.(map[string]any)
			if fields["type"] == "Established" && fields["status"] == "True" {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("customresourcedefinition %s: expected condition Established within %s, got %v",
				name, establishedBudget, conditions)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func useWidgets(ctx context.Context, cl *clients) error {
	resource := cl.dynamic.Resource(widgets).Namespace("default")
	list, err := resource.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("LIST widgets: expected 200, got: %w", err)
	}
	if got := list.GetKind(); got != "WidgetList" {
		return fmt.Errorf("LIST widgets: expected kind WidgetList, got %q", got)
	}
	stream, err := openWatch(ctx, cl, list.GetResourceVersion())
	if err != nil {
		return err
	}
	defer stream.Stop()

	widget := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": widgets.GroupVersion().String(), "kind": "Widget",
		"metadata": map[string]any{"name": "peer"}, "spec": map[string]any{"size": int64(3)},
	}}
	made, err := resource.Create(ctx, widget, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST widget: expected 201, got: %w", err)
	}
	if err := expectEvent(stream, watch.Added, made.GetResourceVersion()); err != nil {
		return err
	}
	if list, err = resource.List(ctx, metav1.ListOptions{}); err != nil || len(list.Items) != 1 {
		return fmt.Errorf("LIST widgets after POST: expected one, got %d and error: %v", len(list.Items), err)
	}
	if size, _, _ := unstructured.NestedInt64(list.Items[0].Object, "spec", "size"); size != 3 {
		return fmt.Errorf("LIST widgets: expected spec.size 3, got %d", size)
	}
	if err := resource.Delete(ctx, "peer", metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("DELETE widget: expected 200, got: %w", err)
	}
	if err := expectEvent(stream, watch.Deleted, ""); err != nil {
		return err
	}
	if _, err := resource.Get(ctx, "peer", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("GET widget after DELETE: expected 404 NotFound, got: %v", err)
	}
	return nil
}

// openWatch opens a watch that has no events yet: its header must come at once all the same.
func openWatch(ctx context.Context, cl *clients, version string) (watch.Interface, error) {
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(cacheBudget, cancel)
	stream, err := cl.watcher.Resource(widgets).Namespace("default").Watch(ctx, metav1.ListOptions{ResourceVersion: version})
	if !late.Stop() {
		return nil, fmt.Errorf("WATCH widgets from %s: expected the response header within %s, before any event", version, cacheBudget)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("WATCH widgets from %s: expected 200, got: %w", version, err)
	}
	return stoppingWatch{stream, cancel}, nil
}

// stoppingWatch ends the request of a watch with the watch.
type stoppingWatch struct {
	watch.Interface
	cancel context.CancelFunc
}

// Stop implements watch.Interface.
func (w stoppingWatch) Stop() {
	w.Interface.Stop()
	w.cancel()
}

// expectEvent waits for the next event of a watch of widgets.
func expectEvent(stream watch.Interface, kind watch.EventType, version string) error {
	timer := time.NewTimer(cacheBudget)
	defer timer.Stop()
	for {
		select {
		case event, open := <-stream.ResultChan():
			if !open {
				return fmt.Errorf("WATCH widgets: expected %s, the watch ended", kind)
			}
			if event.Type == watch.Bookmark {
				continue
			}
			object, ok := event.Object.(*unstructured.Unstructured)
			if !ok || event.Type != kind {
				return fmt.Errorf("WATCH widgets: expected %s, got %s %v", kind, event.Type, event.Object)
			}
			if version != "" && object.GetResourceVersion() != version {
				return fmt.Errorf("WATCH widgets: expected %s at resourceVersion %s, got %s", kind, version, object.GetResourceVersion())
			}
			return nil
		case <-timer.C:
			return errors.New("WATCH widgets: expected " + string(kind) + " within " + cacheBudget.String() + ", got nothing")
		}
	}
}
