// What happens to a cluster from its first API tunnel on, in Rancher's order (rancher-protocol §4.2 to §4.7): first
// contact, discovery, watches, then the writes of the controllers, and after that periodic checks.

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/restmapper"
)

const (
	contactTimeout = 5 * time.Second
	versionTimeout = 15 * time.Second
	syncTimeout    = 60 * time.Second
	stepTimeout    = 60 * time.Second
	deployTries    = 5
)

// step is one part of the start of a cluster that can be left out by --steps.
type step struct {
	name string
	run  func(*server, context.Context, *cluster, *clients) error
}

var startSteps = []step{
	{"impersonation", (*server).impersonate},
	{"reviews", (*server).review},
	{"writes", (*server).write},
	{"crd", (*server).customResources},
}

func (s *server) wants(name string) bool {
	if s.steps == "all" {
		return true
	}
	for wanted := range strings.SplitSeq(s.steps, ",") {
		if wanted == name {
			return true
		}
	}
	return false
}

// controllers runs the cluster's controllers, anew whenever its tunnel parameters change, until it is removed.
func (s *server) controllers(c *cluster) {
	for c.ctx.Err() == nil {
		c.mu.Lock()
		params := c.params
		ctx, stop := context.WithCancel(c.ctx)
		c.runCtx, c.stopRun = ctx, stop
		c.mu.Unlock()
		s.run(ctx, c, params)
		stop()
	}
}

func (s *server) run(ctx context.Context, c *cluster, params tunnelParams) {
	cl, err := s.newClients(c, params)
	if err != nil {
		c.fail("clients", "cannot build clients from the tunnel parameters: %v", err)
		<-ctx.Done()
		return
	}
	c.mu.Lock()
	c.clients = cl
	c.mu.Unlock()

	if !s.start(ctx, c, cl) {
		return
	}
	go s.probe(ctx, c, cl)
	go s.deployLoop(ctx, c, cl)
	for _, one := range startSteps {
		if ctx.Err() != nil || !s.wants(one.name) {
			continue
		}
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, stepTimeout)
		err := one.run(s, limited, c, cl)
		cancel()
		if err != nil && ctx.Err() == nil {
			c.fail(one.name, "%v", err)
			c.check(one.name, map[string]any{"ok": false, "ms": ms(time.Since(begin)), "error": err.Error()})
			continue
		}
		c.check(one.name, map[string]any{"ok": ctx.Err() == nil, "ms": ms(time.Since(begin))})
		c.stage(one.name)
	}
	<-ctx.Done()
}

// start makes first contact and starts the watches; it returns false when the run ended meanwhile.
func (s *server) start(ctx context.Context, c *cluster, cl *clients) bool {
	select {
	case s.starts <- struct{}{}:
		defer func() { <-s.starts }()
	case <-ctx.Done():
		return false
	}

	for _, one := range []step{
		{"kube-system", (*server).contact},
		{"version", (*server).readVersion},
		{"discovery", (*server).discover},
	} {
		if !s.untilDone(ctx, c, cl, one) {
			return false
		}
		c.stage(one.name)
	}

	kinds := s.startKinds(ctx, c, cl, rancherKinds, s.watchList)
	for {
		late := waitForKinds(ctx, kinds, syncTimeout)
		if ctx.Err() != nil {
			return false
		}
		if len(late) == 0 {
			break
		}
		c.fail("informers", "expected all %d watches to be synced within %s, not synced: %s",
			len(kinds), syncTimeout, strings.Join(late, ", "))
	}
	c.stage("informersSynced")
	return true
}

// untilDone repeats a step until it succeeds, recording each failure.
func (s *server) untilDone(ctx context.Context, c *cluster, cl *clients, one step) bool {
	for {
		if err := s.waitForTunnel(ctx, c, apiSession, time.Hour); err != nil {
			return false
		}
		err := one.run(s, ctx, c, cl)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		c.fail(one.name, "%v", err)
		if sleep(ctx, time.Second) != nil {
			return false
		}
	}
}

// contact is Rancher's first request; a namespace that is missing is an answer, too.
func (s *server) contact(ctx context.Context, _ *cluster, cl *clients) error {
	ctx, cancel := context.WithTimeout(ctx, contactTimeout)
	defer cancel()
	_, err := cl.lasso.CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("GET namespace kube-system: expected the namespace or 404, got: %w", err)
	}
	return nil
}

func (s *server) readVersion(ctx context.Context, c *cluster, cl *clients) error {
	info, err := versionOf(ctx, cl)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version = info.GitVersion
	c.updatedLocked()
	return nil
}

func versionOf(ctx context.Context, cl *clients) (*version.Info, error) {
	ctx, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	var info version.Info
	body, err := cl.discovery.RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("GET /version: expected 200, got: %w", err)
	}
	if err := decodeJSON(body, &info); err != nil {
		return nil, fmt.Errorf("GET /version: expected version JSON, got: %w", err)
	}
	if info.Major == "" || info.Minor == "" || !strings.HasPrefix(info.GitVersion, "v") {
		return nil, fmt.Errorf("GET /version: expected major, minor and a gitVersion like v1.31.4, got %q %q %q",
			info.Major, info.Minor, info.GitVersion)
	}
	return &info, nil
}

// discover loads the REST mapper and finds every kind that is watched in it.
func (s *server) discover(_ context.Context, c *cluster, cl *clients) error {
	begin := time.Now()
	groups, err := restmapper.GetAPIGroupResources(cl.discovery)
	if err != nil {
		return fmt.Errorf("discovery: expected all groups, got: %w", err)
	}
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	resources := 0
	for _, group := range groups {
		for _, list := range group.VersionedResources {
			resources += len(list)
		}
	}
	for _, spec := range append(append([]kindSpec{}, rancherKinds...), extraKinds...) {
		if _, err := mapper.KindFor(spec.gvr); err != nil {
			return fmt.Errorf("discovery: expected %s to be served, got: %w", spec.gvr, err)
		}
	}
	cl.mapper = mapper
	c.check("discovery", map[string]any{
		"ok": true, "groups": len(groups), "resources": resources, "ms": ms(time.Since(begin)),
	})
	return nil
}

// probe is the periodic health check of the API tunnel (healthsyncer: GET /readyz, only while Connected).
func (s *server) probe(ctx context.Context, c *cluster, cl *clients) {
	for sleep(ctx, s.probeInterval) == nil {
		s.checkReady(ctx, c, cl)
	}
}

func (s *server) checkReady(ctx context.Context, c *cluster, cl *clients) {
	c.mu.Lock()
	connected := c.isTrueLocked("Connected")
	c.mu.Unlock()
	if !connected {
		return
	}
	begin := time.Now()
	limited, cancel := context.WithTimeout(ctx, contactTimeout)
	err := cl.discovery.RESTClient().Get().AbsPath("/readyz").Do(limited).Error()
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		c.fail("readyz", "GET /readyz: expected 2xx within %s, got: %v", contactTimeout, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readyz.record(time.Since(begin), err)
	switch {
	case err == nil && c.isTrueLocked("Connected"):
		c.setConditionLocked("Ready", "True", "", "")
		c.setConditionLocked("Waiting", "True", "", "")
	case c.readyz.ConsecutiveKO >= 3:
		c.setConditionLocked("Ready", "False", "ComponentStatusFetchingFailure", err.Error())
	}
}
