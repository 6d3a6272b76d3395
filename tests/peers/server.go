// The played Rancher server: its settings, its clusters and its routes (rancher/rancher pkg/multiclustermanager/routes.go).

package main

import (
	"context"
	"net/http"
	"os/exec"
	"sync"
	"time"

	"github.com/rancher/remotedialer"
)

// options are the command line.
type options struct {
	listen        string
	control       string
	watchList     bool
	noTLS         bool
	pageSize      int
	cacheLag      int
	conflicts     int
	tokenDelay    time.Duration
	probeInterval time.Duration
	dialWait      time.Duration
	kubectlFirst  int
	steps         string
	agentImage    string
	serverVersion string
}

func defaultOptions() options {
	return options{
		listen:        "127.0.0.1:0",
		control:       "127.0.0.1:0",
		watchList:     true,
		pageSize:      1000,
		cacheLag:      1,
		tokenDelay:    300 * time.Millisecond,
		probeInterval: time.Second,
		dialWait:      10 * time.Second,
		kubectlFirst:  -1,
		steps:         "all",
		agentImage:    "rancher/rancher-agent:v2.15.0",
		serverVersion: "v2.15.0",
	}
}

// server holds everything that is shared between the clusters.
type server struct {
	options
	ctx      context.Context
	url      string
	ca       string
	apiToken string
	tunnel   *remotedialer.Server
	faults   *faults
	kubectl  string

	// creating serialises POST /v3/clusters as Rancher's cluster store does.
	creating sync.Mutex
	// starts bounds the clusters that start at the same time (setting cluster-controller-start-count).
	starts chan struct{}
	// deploys bounds the kubectl processes.
	deploys chan struct{}

	mu       sync.Mutex
	clusters map[string]*cluster
	removed  map[string]*cluster
	deployed int
	stray    []*connectRecord
	klog     []failure
}

func newServer(ctx context.Context, o options) *server {
	s := &server{
		options:  o,
		ctx:      ctx,
		apiToken: "token-" + randomText(5, idAlphabet) + ":" + randomText(54, idAlphabet),
		faults:   newFaults(),
		starts:   make(chan struct{}, 50),
		deploys:  make(chan struct{}, 2),
		clusters: map[string]*cluster{},
		removed:  map[string]*cluster{},
		kubectl:  findKubectl(),
	}
	s.tunnel = remotedialer.New(s.authorizeTunnel, writeTunnelError)
	return s
}

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v3/connect", s.serveTunnel)
	mux.HandleFunc("/v3/connect/register", s.serveTunnel)
	mux.HandleFunc("/k8s/clusters/{id}/", s.authenticated(s.serveProxy))
	s.addRESTRoutes(mux)
	return mux
}

func (s *server) cluster(id string) *cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clusters[id]
}

// known also finds a cluster that was removed, so that a test can read its record.
func (s *server) known(id string) *cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.clusters[id]; ok {
		return c
	}
	return s.removed[id]
}

func (s *server) allClusters() []*cluster {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*cluster, 0, len(s.clusters))
	for _, c := range s.clusters {
		all = append(all, c)
	}
	return all
}

// clusterByToken finds the cluster of a registration token, as Rancher's secret index does; a rotated token stays valid
// during its grace period.
func (s *server) clusterByToken(token string) *cluster {
	if token == "" {
		return nil
	}
	for _, c := range s.allClusters() {
		if c.hasToken(token) {
			return c
		}
	}
	return nil
}

func (c *cluster) hasToken(token string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.tokens {
		if t.Value == token {
			return true
		}
	}
	return c.graceTokens[token]
}

func findKubectl() string {
	if path := envOr("KUBECTL", ""); path != "" {
		return path
	}
	path, err := exec.LookPath("kubectl")
	if err != nil {
		return ""
	}
	return path
}
