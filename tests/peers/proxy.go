// The proxy for users and for kubectl: /k8s/clusters/<id>/… through the tunnel (rancher-protocol §2.4, §4.1;
// rancher/rancher pkg/clusterrouter/proxy and pkg/api/steve/proxy).

package main

import (
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// serveProxy strips the prefix and forwards: /v1 to the steve tunnel, everything else to the Kubernetes API.
func (s *server) serveProxy(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c := s.cluster(id)
	if c == nil {
		writeError(w, http.StatusNotFound, "NotFound", "", "cluster "+id+" not found")
		return
	}
	prefix := "/k8s/clusters/" + id
	path := strings.TrimPrefix(r.URL.Path, prefix)
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil {
				c.fail("proxy", "%s %s: expected an answer through the tunnel, got: %v", r.Method, path, err)
			}
			writeError(w, http.StatusServiceUnavailable, "ClusterUnavailable", "", err.Error())
		},
		ErrorLog: log.Default(),
	}
	steve := path == "/v1" || strings.HasPrefix(path, "/v1/")
	if steve {
		proxy.Transport = s.stvTransport(c)
	} else {
		transport, err := s.proxyTransport(c)
		if err != nil {
			writeError(w, http.StatusServiceUnavailable, "ClusterUnavailable", "", err.Error())
			return
		}
		proxy.Transport = transport
	}
	token := c.impersonationToken()
	proxy.Rewrite = func(p *httputil.ProxyRequest) {
		p.Out.URL = s.target(c, p.In.URL, prefix, steve)
		p.Out.Host = p.Out.URL.Host
		p.Out.Header.Del("Authorization")
		if p.Out.Header.Get("Impersonate-User") == "" {
			p.Out.Header.Set("Impersonate-User", impersonatedUser)
			p.Out.Header["Impersonate-Group"] = []string{"system:authenticated", "system:cattle:authenticated"}
		}
		if steve {
			p.Out.Header.Set("X-API-URL-Prefix", prefix)
			return
		}
		p.Out.Header.Set("Authorization", "Bearer "+token)
	}
	proxy.ServeHTTP(w, r)
}

// proxyTransport is the pool of connections that all users of one cluster share, apart from that of the controllers.
func (s *server) proxyTransport(c *cluster) (*http.Transport, error) {
	c.mu.Lock()
	pool, current := c.proxyPool, c.proxyGeneration == c.generation
	c.mu.Unlock()
	if pool != nil && current {
		return pool, nil
	}
	fresh, _, err := s.apiTransport(c)
	if err != nil {
		return nil, err
	}
	fresh.IdleConnTimeout = 90 * time.Second
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxyPool, c.proxyGeneration = fresh, c.generation
	return fresh, nil
}

func (s *server) target(c *cluster, in *url.URL, prefix string, steve bool) *url.URL {
	out := *in
	out.Path = strings.TrimPrefix(in.Path, prefix)
	out.RawPath = strings.TrimPrefix(in.RawPath, prefix)
	if steve {
		out.Scheme, out.Host = "http", "127.0.0.1:6080"
		return &out
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out.Scheme, out.Host = "https", c.params.Address
	return &out
}
