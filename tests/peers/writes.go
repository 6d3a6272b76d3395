// Writes as Rancher's user controllers make them (rancher-protocol §4.4, §4.10): PUTs with optimistic concurrency, role
// objects, patches, and a namespace that must go away again. Everything it creates it removes.

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
)

const (
	scratchNamespace = "peer-scratch"
	// goneBudget is how long a deleted namespace may be Terminating.
	goneBudget = 15 * time.Second
)

func (s *server) write(ctx context.Context, c *cluster, cl *clients) error {
	for _, part := range []func(context.Context, *cluster, *clients) error{
		writeNamespaces, writeRBAC, writeConfigMaps, removeScratch,
	} {
		if err := part(ctx, c, cl); err != nil {
			return err
		}
	}
	return nil
}

// writeNamespaces annotates a namespace as namespace-auth does and proves that a stale PUT is refused.
func writeNamespaces(ctx context.Context, c *cluster, cl *clients) error {
	namespaces := cl.lasso.CoreV1().Namespaces()
	original, err := namespaces.Get(ctx, "default", metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("GET namespace default: expected 200, got: %w", err)
	}
	changed := original.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations["field.cattle.io/projectId"] = c.id + ":p-" + randomText(5, idAlphabet)
	changed.Annotations["lifecycle.cattle.io/create.namespace-auth"] = "true"
	updated, err := namespaces.Update(ctx, changed, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("PUT namespace default: expected 200, got: %w", err)
	}
	if updated.ResourceVersion == original.ResourceVersion {
		return fmt.Errorf("PUT namespace default: expected a new resourceVersion, it stayed %s", updated.ResourceVersion)
	}
	if updated.Annotations["field.cattle.io/projectId"] != changed.Annotations["field.cattle.io/projectId"] {
		return fmt.Errorf("PUT namespace default: expected the annotation to be kept, got %v", updated.Annotations)
	}
	if len(updated.Spec.Finalizers) == 0 || updated.Status.Phase != corev1.NamespaceActive {
		return fmt.Errorf("PUT namespace default: expected spec.finalizers and phase Active, got %v %q",
			updated.Spec.Finalizers, updated.Status.Phase)
	}
	if _, err := namespaces.Update(ctx, changed, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("PUT namespace default with stale resourceVersion %s: expected 409 Conflict, got: %v",
			changed.ResourceVersion, err)
	}
	if err := shown(ctx, c, "namespaces", "default", updated.ResourceVersion); err != nil {
		return err
	}

	if err := ignoreExisting(createNamespace(ctx, cl, scratchNamespace)); err != nil {
		return fmt.Errorf("POST namespace %s: expected 201, got: %w", scratchNamespace, err)
	}
	if err := createNamespace(ctx, cl, scratchNamespace); !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("POST namespace %s again: expected 409 AlreadyExists, got: %v", scratchNamespace, err)
	}
	if _, err := namespaces.Get(ctx, "peer-absent", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("GET namespace peer-absent: expected 404 NotFound, got: %v", err)
	}
	return nil
}

// writeRBAC creates, changes and deletes the four kinds of role objects.
func writeRBAC(ctx context.Context, c *cluster, cl *clients) error {
	rbac := cl.lasso.RbacV1()
	name := "peer-" + randomText(5, idAlphabet)
	rules := []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"namespaces"}}}
	subjects := []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: impersonatedUser}}
	of := metav1.ObjectMeta{Name: name, Labels: map[string]string{"peer": "writes"}}
	in := metav1.ObjectMeta{Name: name, Namespace: scratchNamespace, Labels: of.Labels}

	role, err := rbac.ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: of, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST clusterrole %s: expected 201, got: %w", name, err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: of, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
	}
	if _, err := rbac.ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("POST clusterrolebinding %s: expected 201, got: %w", name, err)
	}
	if _, err := rbac.Roles(scratchNamespace).Create(ctx, &rbacv1.Role{ObjectMeta: in, Rules: rules}, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("POST role %s: expected 201, got: %w", name, err)
	}
	scoped := &rbacv1.RoleBinding{
		ObjectMeta: in, Subjects: subjects, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}
	if _, err := rbac.RoleBindings(scratchNamespace).Create(ctx, scoped, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("POST rolebinding %s: expected 201, got: %w", name, err)
	}

	role.Rules[0].Verbs = append(role.Rules[0].Verbs, "list")
	role, err = rbac.ClusterRoles().Update(ctx, role, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("PUT clusterrole %s: expected 200, got: %w", name, err)
	}
	if len(role.Rules) != 1 || len(role.Rules[0].Verbs) != 2 {
		return fmt.Errorf("PUT clusterrole %s: expected the verbs get and list, got %v", name, role.Rules)
	}
	if err := shown(ctx, c, "clusterroles", name, role.ResourceVersion); err != nil {
		return err
	}

	selected, err := rbac.ClusterRoles().List(ctx, metav1.ListOptions{LabelSelector: labels.Set(of.Labels).String()})
	if err != nil {
		return fmt.Errorf("LIST clusterroles by label: expected 200, got: %w", err)
	}
	for _, found := range selected.Items {
		if found.Labels["peer"] != "writes" {
			return fmt.Errorf("LIST clusterroles with labelSelector peer=writes: got %s with labels %v", found.Name, found.Labels)
		}
	}
	if len(selected.Items) == 0 {
		return errors.New("LIST clusterroles with labelSelector peer=writes: expected the role just made, got none")
	}

	background := metav1.DeletePropagationBackground
	options := metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &role.UID}}
	if err := rbac.ClusterRoles().Delete(ctx, name, options); err != nil {
		return fmt.Errorf("DELETE clusterrole %s with its uid as precondition: expected 200, got: %w", name, err)
	}
	if err := rbac.ClusterRoleBindings().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("DELETE clusterrolebinding %s: expected 200, got: %w", name, err)
	}
	if err := rbac.ClusterRoles().Delete(ctx, name, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("DELETE clusterrole %s again: expected 404 NotFound, got: %v", name, err)
	}
	return notShown(ctx, c, "clusterroles", name)
}

// writeConfigMaps uses generateName, the two patches of wrangler and kubectl, and a JSON patch.
func writeConfigMaps(ctx context.Context, _ *cluster, cl *clients) error {
	maps := cl.lasso.CoreV1().ConfigMaps(scratchNamespace)
	wanted := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "peer-"},
		Data:       map[string]string{"keep": "1", "drop": "2"},
	}
	made, err := maps.Create(ctx, wanted, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST configmap with generateName: expected 201, got: %w", err)
	}
	if len(made.Name) != len("peer-")+5 {
		return fmt.Errorf("POST configmap with generateName peer-: expected five random characters behind it, got %q", made.Name)
	}
	for _, one := range []struct {
		kind types.PatchType
		body any
		want map[string]string
	}{
		{types.MergePatchType, map[string]any{"data": map[string]any{"drop": nil, "merge": "3"}}, map[string]string{"keep": "1", "merge": "3"}},
		{types.StrategicMergePatchType, map[string]any{"data": map[string]any{"strategic": "4"}},
			map[string]string{"keep": "1", "merge": "3", "strategic": "4"}},
		{types.JSONPatchType, []map[string]any{{"op": "remove", "path": "/data/merge"}},
			map[string]string{"keep": "1", "strategic": "4"}},
	} {
		body, err := json.Marshal(one.body)
		if err != nil {
			return err
		}
		patched, err := maps.Patch(ctx, made.Name, one.kind, body, metav1.PatchOptions{})
		if err != nil {
			return fmt.Errorf("PATCH configmap as %s: expected 200, got: %w", one.kind, err)
		}
		if !labels.Equals(patched.Data, one.want) {
			return fmt.Errorf("PATCH configmap as %s with %s: expected data %v, got %v", one.kind, body, one.want, patched.Data)
		}
	}
	return nil
}

// removeScratch deletes the namespace with what is in it.
func removeScratch(ctx context.Context, _ *cluster, cl *clients) error {
	namespaces := cl.lasso.CoreV1().Namespaces()
	if err := namespaces.Delete(ctx, scratchNamespace, metav1.DeleteOptions{}); err != nil {
		return fmt.Errorf("DELETE namespace %s: expected 200, got: %w", scratchNamespace, err)
	}
	deadline := time.Now().Add(goneBudget)
	for {
		left, err := namespaces.Get(ctx, scratchNamespace, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			break
		}
		if err != nil {
			return fmt.Errorf("GET namespace %s while it is deleted: expected 200 or 404, got: %w", scratchNamespace, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("namespace %s: expected it gone %s after DELETE, it is %s with finalizers %v",
				scratchNamespace, goneBudget, left.Status.Phase, left.Spec.Finalizers)
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	roles, err := cl.lasso.RbacV1().Roles(scratchNamespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("LIST roles of the removed namespace: expected 200 and none, got: %w", err)
	}
	if len(roles.Items) != 0 {
		return fmt.Errorf("LIST roles of the removed namespace: expected none, got %d", len(roles.Items))
	}
	return nil
}

// shown waits until the informer holds an object at a resourceVersion.
func shown(ctx context.Context, c *cluster, kindName, key, version string) error {
	return waitShown(ctx, c, kindName, key, fmt.Sprintf("at resourceVersion %s", version), func(found bool, got string) bool {
		return found && got == version
	})
}

// notShown waits until the informer has forgotten an object.
func notShown(ctx context.Context, c *cluster, kindName, key string) error {
	return waitShown(ctx, c, kindName, key, "to be gone", func(found bool, _ string) bool { return !found })
}

func waitShown(ctx context.Context, c *cluster, kindName, key, what string, done func(bool, string) bool) error {
	deadline := time.Now().Add(cacheBudget)
	for {
		k := c.runningKind(kindName)
		if k == nil {
			return fmt.Errorf("expected the watch of %s to run", kindName)
		}
		object, found, _ := k.informer.GetStore().GetByKey(key)
		got := ""
		if found {
			got = object.(metav1.Object).GetResourceVersion()
		}
		if done(found, got) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("watch of %s: expected %s %s within %s, the informer has found=%t resourceVersion=%q",
				kindName, key, what, cacheBudget, found, got)
		}
		if err := sleep(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}
