// The removal of a cluster: Rancher's cleanup traffic through the API tunnel, then the object is gone
// (rancher-protocol §4.12; rancher/rancher pkg/controllers/management/usercontrollers).

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/retry"
)

const (
	cleanupName  = "cattle-cleanup-"
	cleanupTries = 3
)

func (s *server) finalize(c *cluster) {
	c.mu.Lock()
	everUp := c.params.Address != ""
	c.mu.Unlock()
	for try := 1; everUp && try <= cleanupTries; try++ {
		err := s.waitForTunnel(c.ctx, c, apiSession, s.dialWait)
		if err == nil {
			err = s.cleanup(c)
		}
		if err == nil {
			c.check("cleanup", map[string]any{"ok": true, "tries": try})
			break
		}
		c.fail("cleanup", "try %d: %v", try, err)
		c.check("cleanup", map[string]any{"ok": false, "tries": try, "error": err.Error()})
	}
	s.mu.Lock()
	delete(s.clusters, c.id)
	s.removed[c.id] = c
	s.mu.Unlock()
	c.mu.Lock()
	c.removed = time.Now()
	c.stageLocked("removed")
	c.mu.Unlock()
	c.cancel()
}

func (s *server) cleanup(c *cluster) error {
	c.mu.Lock()
	cl := c.clients
	c.mu.Unlock()
	if cl == nil {
		return errDisconnected
	}
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	meta := metav1.ObjectMeta{GenerateName: cleanupName}
	role, err := cl.typed.RbacV1().ClusterRoles().Create(ctx, &rbacv1.ClusterRole{ObjectMeta: meta}, metav1.CreateOptions{})
	if err := generated("clusterrole", role, err); err != nil {
		return err
	}
	accounts := cl.typed.CoreV1().ServiceAccounts("default")
	account, err := accounts.Create(ctx, &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err := generated("serviceaccount", account, err); err != nil {
		return err
	}
	binding, err := cl.typed.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		Subjects:   []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: "default"}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}, metav1.CreateOptions{})
	if err := generated("clusterrolebinding", binding, err); err != nil {
		return err
	}
	job, err := cl.typed.BatchV1().Jobs("default").Create(ctx, s.cleanupJob(account.Name), metav1.CreateOptions{})
	if err := generated("job", job, err); err != nil {
		return err
	}

	owner := []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: job.Name, UID: job.UID}}
	return ownCleanup(ctx, cl, role.Name, account.Name, binding.Name, owner)
}

func generated(kind string, object metav1.Object, err error) error {
	if err != nil {
		return fmt.Errorf("POST %s with generateName %s (protobuf): expected 201, got: %w", kind, cleanupName, err)
	}
	if !strings.HasPrefix(object.GetName(), cleanupName) || len(object.GetName()) == len(cleanupName) || object.GetUID() == "" {
		return fmt.Errorf("POST %s with generateName %s: expected a generated name and a uid, got %q %q",
			kind, cleanupName, object.GetName(), object.GetUID())
	}
	return nil
}

func (s *server) cleanupJob(account string) *batchv1.Job {
	user := int64(1000)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: cleanupName, Namespace: "default", Labels: map[string]string{"cattle.io/creator": "norman"},
		},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			ServiceAccountName: account,
			RestartPolicy:      corev1.RestartPolicyOnFailure,
			Containers: []corev1.Container{{
				Name:            "cleanup-agent",
				Image:           s.agentImage,
				ImagePullPolicy: corev1.PullAlways,
				Env:             []corev1.EnvVar{{Name: "CLUSTER_CLEANUP", Value: "true"}, {Name: "SLEEP_FIRST", Value: "true"}},
				SecurityContext: &corev1.SecurityContext{RunAsUser: &user, RunAsGroup: &user},
			}},
		}}},
	}
}

// ownCleanup makes the job the owner of the other three, each read and written back.
func ownCleanup(ctx context.Context, cl *clients, role, account, binding string, owner []metav1.OwnerReference) error {
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := cl.typed.RbacV1().ClusterRoles().Get(ctx, role, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.OwnerReferences = owner
		_, err = cl.typed.RbacV1().ClusterRoles().Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("GET and PUT clusterrole %s: expected 200, got: %w", role, err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := cl.typed.CoreV1().ServiceAccounts("default").Get(ctx, account, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.OwnerReferences = owner
		_, err = cl.typed.CoreV1().ServiceAccounts("default").Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("GET and PUT serviceaccount %s: expected 200, got: %w", account, err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := cl.typed.RbacV1().ClusterRoleBindings().Get(ctx, binding, metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.OwnerReferences = owner
		_, err = cl.typed.RbacV1().ClusterRoleBindings().Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("GET and PUT clusterrolebinding %s: expected 200, got: %w", binding, err)
	}
	return nil
}
