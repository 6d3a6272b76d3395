// Rancher's impersonation: a service account per user in the downstream cluster, and its token at once
// (rancher-protocol §4.8; rancher/rancher pkg/impersonation, pkg/serviceaccounttoken). Secrets and service accounts go
// through the typed clientset, which sends protobuf.

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	impersonatedUser  = "u-peer"
	impersonationName = "cattle-impersonation-" + impersonatedUser
	secretRef         = "rancher.io/service-account.secret-ref"
	accountAnnotation = "kubernetes.io/service-account.name"
	accountLabel      = "cattle.io/service-account.name"

	// cacheBudget is how long Rancher waits for its own watch to show what it wrote.
	cacheBudget = 2 * time.Second
)

var impersonationLabels = map[string]string{"authz.cluster.cattle.io/impersonator": "true"}

func (s *server) impersonate(ctx context.Context, c *cluster, cl *clients) error {
	if err := ignoreExisting(createNamespace(ctx, cl, impersonationNamespace)); err != nil {
		return fmt.Errorf("POST namespace %s: expected 201 or 409, got: %w", impersonationNamespace, err)
	}
	role, err := ensureImpersonationRole(ctx, cl)
	if err != nil {
		return err
	}
	account, err := ensureServiceAccount(ctx, cl, role)
	if err != nil {
		return err
	}
	begin := time.Now()
	secret, err := ensureTokenSecret(ctx, cl, account)
	if err != nil {
		return err
	}
	c.check("tokenSecret", map[string]any{"ms": ms(time.Since(begin)), "tokenBytes": len(secret.Data["token"])})
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{
			Name: impersonationName, Labels: impersonationLabels, OwnerReferences: ownedByRole(role),
		},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: account.Name, Namespace: account.Namespace}},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
	}
	_, err = cl.lasso.RbacV1().ClusterRoleBindings().Create(ctx, binding, metav1.CreateOptions{})
	if err := ignoreExisting(err); err != nil {
		return fmt.Errorf("POST clusterrolebinding %s: expected 201 or 409, got: %w", binding.Name, err)
	}
	return s.waitForServiceAccount(ctx, c, secret.Name)
}

func ignoreExisting(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func createNamespace(ctx context.Context, cl *clients, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: impersonationLabels}}
	_, err := cl.lasso.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	return err
}

func ensureImpersonationRole(ctx context.Context, cl *clients) (*rbacv1.ClusterRole, error) {
	wanted := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: impersonationName, Labels: impersonationLabels},
		Rules: []rbacv1.PolicyRule{{
			Verbs: []string{"impersonate"}, APIGroups: []string{""}, Resources: []string{"users"},
			ResourceNames: []string{impersonatedUser},
		}},
	}
	roles := cl.lasso.RbacV1().ClusterRoles()
	role, err := roles.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		role, err = roles.Get(ctx, wanted.Name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("POST clusterrole %s: expected 201 or 409, got: %w", wanted.Name, err)
	}
	if role.UID == "" || role.ResourceVersion == "" || role.CreationTimestamp.IsZero() {
		return nil, fmt.Errorf("POST clusterrole %s: expected uid, resourceVersion and creationTimestamp, got %q %q %s",
			wanted.Name, role.UID, role.ResourceVersion, role.CreationTimestamp)
	}
	return role, nil
}

func ownedByRole(role *rbacv1.ClusterRole) []metav1.OwnerReference {
	return []metav1.OwnerReference{{
		APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole", Name: role.Name, UID: role.UID,
	}}
}

func ensureServiceAccount(ctx context.Context, cl *clients, role *rbacv1.ClusterRole) (*corev1.ServiceAccount, error) {
	wanted := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{
		Name: impersonationName, Namespace: impersonationNamespace, Labels: impersonationLabels,
		OwnerReferences: ownedByRole(role),
	}}
	accounts := cl.lasso.CoreV1().ServiceAccounts(impersonationNamespace)
	account, err := accounts.Create(ctx, wanted, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		account, err = accounts.Get(ctx, wanted.Name, metav1.GetOptions{})
	}
	if err != nil {
		return nil, fmt.Errorf("POST serviceaccount %s: expected 201 or 409, got: %w", wanted.Name, err)
	}
	return account, nil
}

// ensureTokenSecret makes or finds the token secret of a service account. Rancher gives the token about 100 ms to appear
// in a secret; the peer wants it in the answer to the POST, as a real control plane never leaves it for long.
func ensureTokenSecret(ctx context.Context, cl *clients, account *corev1.ServiceAccount) (*corev1.Secret, error) {
	secrets := cl.typed.CoreV1().Secrets(account.Namespace)
	selector := metav1.ListOptions{LabelSelector: accountLabel + "=" + account.Name}
	existing, err := secrets.List(ctx, selector)
	if err != nil {
		return nil, fmt.Errorf("LIST secrets %s: expected 200, got: %w", selector.LabelSelector, err)
	}
	for i := range existing.Items {
		found := &existing.Items[i]
		if found.Annotations[accountAnnotation] != account.Name {
			return nil, fmt.Errorf("LIST secrets %s: expected only secrets of that account, got %s with annotations %v",
				selector.LabelSelector, found.Name, found.Annotations)
		}
		return found, checkTokenSecret("LIST secrets", found, account)
	}

	made, err := secrets.Create(ctx, tokenSecret(account), metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("POST token secret of %s (protobuf): expected 201, got: %w", account.Name, err)
	}
	if err := checkTokenSecret("POST token secret", made, account); err != nil {
		return nil, err
	}
	return made, annotateAccount(ctx, cl, account, made)
}

func tokenSecret(account *corev1.ServiceAccount) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: account.Name + "-token-",
			Namespace:    account.Namespace,
			Annotations:  map[string]string{accountAnnotation: account.Name},
			Labels:       map[string]string{accountLabel: account.Name},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "ServiceAccount", Name: account.Name, UID: account.UID,
			}},
		},
		Type: corev1.SecretTypeServiceAccountToken,
	}
}

func checkTokenSecret(where string, secret *corev1.Secret, account *corev1.ServiceAccount) error {
	switch {
	case len(secret.Name) <= len(account.Name+"-token-"):
		return fmt.Errorf("%s: expected a name made from generateName %s-token-, got %q", where, account.Name, secret.Name)
	case len(secret.Data[corev1.ServiceAccountTokenKey]) == 0:
		return fmt.Errorf("%s %s: expected data.token to be filled, it is empty", where, secret.Name)
	case len(secret.Data[corev1.ServiceAccountRootCAKey]) == 0:
		return fmt.Errorf("%s %s: expected data[ca.crt] to be filled, it is empty", where, secret.Name)
	case string(secret.Data[corev1.ServiceAccountNamespaceKey]) != account.Namespace:
		return fmt.Errorf("%s %s: expected data.namespace %q, got %q", where, secret.Name, account.Namespace,
			secret.Data[corev1.ServiceAccountNamespaceKey])
	case secret.Annotations[corev1.ServiceAccountUIDKey] != string(account.UID):
		return fmt.Errorf("%s %s: expected annotation %s = %q, got %q", where, secret.Name, corev1.ServiceAccountUIDKey,
			account.UID, secret.Annotations[corev1.ServiceAccountUIDKey])
	}
	return nil
}

// annotateAccount writes the reference to the secret, and then the same from a stale copy, which must be refused.
func annotateAccount(ctx context.Context, cl *clients, account *corev1.ServiceAccount, secret *corev1.Secret) error {
	accounts := cl.typed.CoreV1().ServiceAccounts(account.Namespace)
	changed := account.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[secretRef] = secret.Namespace + "/" + secret.Name
	updated, err := accounts.Update(ctx, changed, metav1.UpdateOptions{})
	if apierrors.IsConflict(err) {
		// Another writer was first: Rancher reads it again.
		current, getErr := accounts.Get(ctx, account.Name, metav1.GetOptions{})
		if getErr != nil {
			return fmt.Errorf("GET serviceaccount %s after a conflict: expected 200, got: %w", account.Name, getErr)
		}
		changed.ResourceVersion = current.ResourceVersion
		updated, err = accounts.Update(ctx, changed, metav1.UpdateOptions{})
	}
	if err != nil {
		return fmt.Errorf("PUT serviceaccount %s (protobuf): expected 200, got: %w", account.Name, err)
	}
	if got := updated.Annotations[secretRef]; got != changed.Annotations[secretRef] {
		return fmt.Errorf("PUT serviceaccount %s: expected annotation %s = %q, got %q", account.Name, secretRef,
			changed.Annotations[secretRef], got)
	}
	stale := account.DeepCopy()
	stale.ResourceVersion = changed.ResourceVersion
	stale.Labels = map[string]string{"peer": "stale"}
	if _, err = accounts.Update(ctx, stale, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("PUT serviceaccount %s with stale resourceVersion %s (now %s): expected 409 Conflict, got: %v",
			account.Name, stale.ResourceVersion, updated.ResourceVersion, err)
	}
	return nil
}

// waitForServiceAccount waits until the informers show the account and its filled secret.
func (s *server) waitForServiceAccount(ctx context.Context, c *cluster, secretName string) error {
	deadline := time.Now().Add(cacheBudget)
	for {
		err := shownByInformers(c, secretName)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w within %s", err, cacheBudget)
		}
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
	}
}

func shownByInformers(c *cluster, secretName string) error {
	accounts, secrets := c.runningKind("impersonation-serviceaccounts"), c.runningKind("impersonation-secrets")
	if accounts == nil || secrets == nil {
		return errors.New("expected the impersonation watches to run")
	}
	_, found, _ := accounts.informer.GetStore().GetByKey(impersonationNamespace + "/" + impersonationName)
	if !found {
		return fmt.Errorf("expected the watch to show serviceaccount %s", impersonationName)
	}
	object, found, _ := secrets.informer.GetStore().GetByKey(impersonationNamespace + "/" + secretName)
	if !found {
		return fmt.Errorf("expected the watch to show secret %s", secretName)
	}
	if secret, ok := object.(*corev1.Secret); !ok || len(secret.Data[corev1.ServiceAccountTokenKey]) == 0 {
		return fmt.Errorf("expected the watch to show secret %s with its token", secretName)
	}
	return nil
}

// impersonationToken is the token the proxy uses: that of the impersonation account once there is one.
func (c *cluster) impersonationToken() string {
	if secrets := c.runningKind("impersonation-secrets"); secrets != nil {
		for _, object := range secrets.informer.GetStore().List() {
			secret, ok := object.(*corev1.Secret)
			if ok && secret.Annotations[accountAnnotation] == impersonationName && len(secret.Data["token"]) > 0 {
				return string(secret.Data["token"])
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.params.Token
}

// review asks the virtual reviews, all in protobuf: a token of a service account, who it is, and what one may do.
func (s *server) review(ctx context.Context, _ *cluster, cl *clients) error {
	request := &authenticationv1.TokenRequest{}
	token, err := cl.typed.CoreV1().ServiceAccounts("default").CreateToken(ctx, "default", request, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST serviceaccounts/default/token: expected 201, got: %w", err)
	}
	if token.Status.Token == "" || !token.Status.ExpirationTimestamp.After(time.Now()) {
		return fmt.Errorf("POST serviceaccounts/default/token: expected a token that expires in the future, got %d bytes until %s",
			len(token.Status.Token), token.Status.ExpirationTimestamp)
	}

	who := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}
	who, err = cl.typed.AuthenticationV1().TokenReviews().Create(ctx, who, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST tokenreviews: expected 201, got: %w", err)
	}
	const account = "system:serviceaccount:default:default"
	if !who.Status.Authenticated || who.Status.User.Username != account {
		return fmt.Errorf("POST tokenreviews of a minted token: expected it to be %s, got authenticated=%t %q",
			account, who.Status.Authenticated, who.Status.User.Username)
	}

	attributes := &authorizationv1.ResourceAttributes{Verb: "list", Resource: "pods", Namespace: "default"}
	may := &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: attributes},
	}
	may, err = cl.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, may, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST selfsubjectaccessreviews: expected 201, got: %w", err)
	}
	if !may.Status.Allowed {
		return errors.New("POST selfsubjectaccessreviews: expected status.allowed, got false")
	}
	subject := &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: impersonatedUser, ResourceAttributes: attributes},
	}
	subject, err = cl.typed.AuthorizationV1().SubjectAccessReviews().Create(ctx, subject, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("POST subjectaccessreviews: expected 201, got: %w", err)
	}
	if !subject.Status.Allowed {
		return errors.New("POST subjectaccessreviews: expected status.allowed, got false")
	}
	return nil
}
