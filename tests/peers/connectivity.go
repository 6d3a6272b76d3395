// The connectivity check of all clusters, one after the other, over their steve tunnels (rancher-protocol §2.4;
// rancher/rancher pkg/controllers/management/clusterconnected): a fresh connection, GET /ping, 200 expected.

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// pingLimit is the peer's own: Rancher has none, so that one late cluster would hold up all others.
const pingLimit = 2 * time.Second

func (s *server) checkConnectivity(ctx context.Context) {
	for sleep(ctx, s.probeInterval) == nil {
		for _, c := range s.allClusters() {
			if ctx.Err() != nil {
				return
			}
			s.checkConnected(ctx, c)
		}
	}
}

func (s *server) checkConnected(ctx context.Context, c *cluster) {
	c.mu.Lock()
	provisioned := c.isTrueLocked("Provisioned")
	c.mu.Unlock()
	hasSession := s.tunnel.HasSession(stvPrefix + c.id)

	err := errDisconnected
	if hasSession {
		begin := time.Now()
		err = s.stvPing(ctx, c)
		took := time.Since(begin)
		c.mu.Lock()
		c.stvPings.record(took, err)
		c.mu.Unlock()
		if err != nil {
			c.fail("ping", "GET /ping on the steve tunnel: expected 200 within %s, got after %s: %v", pingLimit, took, err)
		}
	}
	if ctx.Err() != nil {
		return
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.setConditionLocked("Connected", "True", "", "")
		return
	}
	c.setConditionLocked("Connected", "False", "", "")
	if provisioned {
		c.setConditionLocked("Ready", "False", "Disconnected", "Cluster agent is not connected")
	}
}

func (s *server) stvPing(ctx context.Context, c *cluster) error {
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	transport := s.stvTransport(c)
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://not-used/ping", nil)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.ReadAll(response.Body); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the body: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return nil
}
