// cluster-deploy: the agent's manifest applied with the kubectl binary through the server's own proxy
// (rancher-protocol §4.7; rancher/rancher pkg/controllers/management/clusterdeploy, pkg/kubectl). It is applied twice,
// the second time nothing may change, and the agent Deployment must come back as it was written.

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	agentNamespace  = "cattle-system"
	agentDeployment = "cattle-cluster-agent"
	agentContainer  = "cluster-register"

	kubectlTimeout = 2 * time.Minute
	deployPause    = 5 * time.Second

	// adoptWarning is part of what kubectl says of an object, like the namespace, that it did not create itself.
	adoptWarning = "missing the kubectl.kubernetes.io/last-applied-configuration annotation"
)

// deployLoop waits for a node, as Rancher does, then deploys until it succeeds, at most five times.
func (s *server) deployLoop(ctx context.Context, c *cluster, cl *clients) {
	for len(c.nodeNames()) == 0 {
		if sleep(ctx, 50*time.Millisecond) != nil {
			return
		}
	}
	deploy := s.deployWithClient
	if s.takeKubectl() {
		deploy = s.deployWithKubectl
	}
	for range deployTries {
		err := deploy(ctx, c, cl)
		if err == nil {
			err = s.checkAgent(ctx, c, cl)
		}
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			c.setCondition("SystemAccountCreated", "True", "", "")
			c.setCondition("AgentDeployed", "True", "", "")
			c.stage("deployed")
			return
		}
		c.fail("deploy", "%v", err)
		c.setCondition("AgentDeployed", "False", "Error", "Error while applying agent YAML, it will be retried automatically")
		if sleep(ctx, deployPause) != nil {
			return
		}
	}
}

// takeKubectl says whether this cluster is deployed with kubectl; --kubectl bounds how many are.
func (s *server) takeKubectl() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kubectlFirst >= 0 && s.deployed >= s.kubectlFirst {
		return false
	}
	s.deployed++
	return true
}

func (s *server) deployWithKubectl(ctx context.Context, c *cluster, _ *clients) error {
	if s.kubectl == "" {
		return errors.New("kubectl: expected a binary at $KUBECTL or in PATH, found none")
	}
	select {
	case s.deploys <- struct{}{}:
		defer func() { <-s.deploys }()
	case <-ctx.Done():
		return ctx.Err()
	}
	dir, err := os.MkdirTemp("", "peer-kubectl-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "kubeconfig"), []byte(s.kubeconfig(c)), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "agent.yaml"), []byte(s.manifest(c.currentToken())), 0o600); err != nil {
		return err
	}

	begin := time.Now()
	first, err := s.runKubectl(ctx, dir)
	if err != nil {
		return err
	}
	applied := time.Now()
	second, err := s.runKubectl(ctx, dir)
	if err != nil {
		return err
	}
	c.check("kubectl", map[string]any{
		"ok": true, "firstMs": ms(applied.Sub(begin)), "secondMs": ms(time.Since(applied)), "first": first, "second": second,
	})
	for _, line := range second {
		if !strings.HasSuffix(line, " unchanged") {
			return fmt.Errorf("kubectl apply, second time: expected only unchanged objects, got %q", line)
		}
	}
	if len(second) != len(first) {
		return fmt.Errorf("kubectl apply, second time: expected %d objects as the first time, got %d", len(first), len(second))
	}
	return nil
}

// runKubectl applies the manifest and returns the lines it printed, with a cold discovery cache.
func (s *server) runKubectl(ctx context.Context, dir string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, kubectlTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, s.kubectl, "--kubeconfig", filepath.Join(dir, "kubeconfig"),
		"--cache-dir", filepath.Join(dir, "cache"), "apply", "-f", filepath.Join(dir, "agent.yaml"))
	command.Env = append(os.Environ(), "HOME="+dir)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("kubectl apply: expected exit 0, got %w; stdout %q, stderr %q", err, stdout.String(), stderr.String())
	}
	var lines []string
	for line := range strings.Lines(stdout.String()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, errors.New("kubectl apply: expected a line for each object, got no output")
	}
	for line := range strings.Lines(stderr.String()) {
		if !strings.Contains(line, adoptWarning) {
			return nil, fmt.Errorf("kubectl apply: expected no complaint on stderr, got %q", line)
		}
	}
	return lines, nil
}

func (s *server) kubeconfig(c *cluster) string {
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "peer",
		"clusters": []any{map[string]any{"name": "peer", "cluster": map[string]any{
			"server": s.url + "/k8s/clusters/" + c.id, "insecure-skip-tls-verify": true,
		}}},
		"users":    []any{map[string]any{"name": "peer", "user": map[string]any{"token": s.apiToken}}},
		"contexts": []any{map[string]any{"name": "peer", "context": map[string]any{"cluster": "peer", "user": "peer"}}},
	}
	text, err := yaml.Marshal(config)
	if err != nil {
		panic(err) // maps of strings always encode
	}
	return string(text)
}

// deployWithClient creates the objects of the manifest without kubectl, for fleets too large for a process per cluster.
func (s *server) deployWithClient(ctx context.Context, c *cluster, cl *clients) error {
	for document := range strings.SplitSeq(s.manifest(c.currentToken()), "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return err
		}
		kind := object.GroupVersionKind()
		mapping, err := cl.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if err != nil {
			return fmt.Errorf("discovery: expected kind %s to be served, got: %w", kind, err)
		}
		_, err = cl.dynamic.Resource(mapping.Resource).Namespace(object.GetNamespace()).
			Create(ctx, object, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("POST %s %s: expected 201 or 409, got: %w", mapping.Resource.Resource, object.GetName(), err)
		}
	}
	return nil
}

// checkAgent reads back the image of the agent's container; another one would make Rancher deploy again and again.
func (s *server) checkAgent(ctx context.Context, c *cluster, cl *clients) error {
	deployment, err := cl.lasso.AppsV1().Deployments(agentNamespace).Get(ctx, agentDeployment, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("GET deployment %s/%s: expected 200, got: %w", agentNamespace, agentDeployment, err)
	}
	for _, container := range deployment.Spec.Template.Spec.Containers {
		if container.Name != agentContainer {
			continue
		}
		if container.Image != s.agentImage {
			return fmt.Errorf("deployment %s: expected image %q of container %s, got %q",
				agentDeployment, s.agentImage, agentContainer, container.Image)
		}
		c.mu.Lock()
		c.agentImage = container.Image
		c.mu.Unlock()
		return nil
	}
	return fmt.Errorf("deployment %s: expected a container %s, got %v", agentDeployment, agentContainer,
		deployment.Spec.Template.Spec.Containers)
}
