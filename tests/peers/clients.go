// Clients of one downstream cluster, through its tunnels, configured as Rancher configures them (rancher-protocol §4.1;
// rancher/rancher pkg/clustermanager/manager.go ToRESTConfig, pkg/types/config NewUserContext).

package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"
)

const (
	contentJSON     = "application/json"
	contentProtobuf = "application/vnd.kubernetes.protobuf"
	acceptBoth      = contentProtobuf + "," + contentJSON

	// typedTimeout is Rancher's limit for one request of a typed client.
	typedTimeout = 45 * time.Second
)

var errDisconnected = errors.New("cluster agent disconnected")

// clients are what Rancher's UserContext holds for one cluster.
type clients struct {
	config *rest.Config
	// typed sends protobuf bodies, as client-go does by default; lasso sends JSON, as Rancher's generated controllers do.
	typed     *kubernetes.Clientset
	lasso     *kubernetes.Clientset
	dynamic   dynamic.Interface
	informers *kubernetes.Clientset
	watcher   dynamic.Interface
	discovery *discovery.DiscoveryClient
	mapper    meta.RESTMapper
}

// restConfig reads the parameters of the API tunnel; the cluster id behind the CA makes the transport cache key unique.
func (s *server) restConfig(c *cluster, params tunnelParams) (*rest.Config, error) {
	ca, err := base64.StdEncoding.DecodeString(params.CACert)
	if err != nil {
		return nil, fmt.Errorf("caCert of the tunnel parameters: expected base64 of a PEM, got: %w", err)
	}
	endpoint := url.URL{Scheme: "https", Host: params.Address}
	return &rest.Config{
		Host:        endpoint.String(),
		BearerToken: params.Token,
		UserAgent:   "rancher/peer cluster " + c.id,
		Timeout:     typedTimeout,
		RateLimiter: flowcontrol.NewFakeAlwaysRateLimiter(),
		TLSClientConfig: rest.TLSClientConfig{
			CAData:     append(ca, []byte("\n"+c.id)...),
			NextProtos: []string{"http/1.1"},
		},
		Dial: s.dialer(c, apiSession),
	}, nil
}

// dialer dials through a tunnel; without a session it fails at once, as Rancher's does for a client that does not wait.
func (s *server) dialer(c *cluster, which string) func(context.Context, string, string) (net.Conn, error) {
	key := c.id
	if which == stvSession {
		key = stvPrefix + c.id
	}
	dial := s.tunnel.Dialer(key)
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if !s.tunnel.HasSession(key) {
			return nil, errDisconnected
		}
		return dial(ctx, network, address)
	}
}

// waitForTunnel waits until the cluster has a session of this kind.
func (s *server) waitForTunnel(ctx context.Context, c *cluster, which string, limit time.Duration) error {
	key := c.id
	if which == stvSession {
		key = stvPrefix + c.id
	}
	deadline := time.Now().Add(limit)
	for !s.tunnel.HasSession(key) {
		if time.Now().After(deadline) {
			return fmt.Errorf("no %s tunnel within %s: %w", which, limit, errDisconnected)
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) newClients(c *cluster, params tunnelParams) (*clients, error) {
	config, err := s.restConfig(c, params)
	if err != nil {
		return nil, err
	}
	made := &clients{config: config}

	// Two pools of connections, as in Rancher: requests with a limit, and watches without.
	short, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	unlimited := rest.CopyConfig(config)
	unlimited.Timeout = 0
	long, err := rest.HTTPClientFor(unlimited)
	if err != nil {
		return nil, err
	}

	if made.typed, err = kubernetes.NewForConfigAndClient(withContent(config, contentProtobuf), short); err != nil {
		return nil, err
	}
	if made.lasso, err = kubernetes.NewForConfigAndClient(withContent(config, contentJSON), short); err != nil {
		return nil, err
	}
	if made.dynamic, err = dynamic.NewForConfigAndClient(config, short); err != nil {
		return nil, err
	}
	if made.informers, err = kubernetes.NewForConfigAndClient(withContent(unlimited, contentJSON), long); err != nil {
		return nil, err
	}
	if made.watcher, err = dynamic.NewForConfigAndClient(unlimited, long); err != nil {
		return nil, err
	}
	made.discovery, err = discovery.NewDiscoveryClientForConfigAndClient(config, short)
	return made, err
}

func withContent(config *rest.Config, contentType string) *rest.Config {
	copied := rest.CopyConfig(config)
	copied.ContentType = contentType
	copied.AcceptContentTypes = acceptBoth
	return copied
}

// apiTransport is a transport of its own to the cluster's API: fresh connections, same trust.
func (s *server) apiTransport(c *cluster) (*http.Transport, tunnelParams, error) {
	c.mu.Lock()
	params := c.params
	c.mu.Unlock()
	if params.Address == "" {
		return nil, params, errDisconnected
	}
	ca, err := base64.StdEncoding.DecodeString(params.CACert)
	if err != nil {
		return nil, params, fmt.Errorf("caCert of the tunnel parameters: expected base64 of a PEM, got: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, params, errors.New("caCert of the tunnel parameters: expected a PEM certificate, found none")
	}
	return &http.Transport{
		DialContext:           s.dialer(c, apiSession),
		TLSClientConfig:       &tls.Config{RootCAs: roots, NextProtos: []string{"http/1.1"}},
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 0,
	}, params, nil
}

// stvTransport speaks plain HTTP to the steve tunnel.
func (s *server) stvTransport(c *cluster) *http.Transport {
	return &http.Transport{DialContext: s.dialer(c, stvSession), DisableKeepAlives: true}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
