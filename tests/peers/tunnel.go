// The tunnel endpoints: who may connect, under which key, and a record of every attempt (rancher-protocol §2.1, §2.2;
// rancher/rancher pkg/tunnelserver/mcmauthorizer and pkg/api/steve/proxy).

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

const (
	headerToken  = "X-API-Tunnel-Token"
	headerParams = "X-API-Tunnel-Params"
	headerID     = "X-API-Tunnel-ID"

	stvPrefix  = "stv-cluster-"
	apiSession = "api"
	stvSession = "stv"

	conflictText = `Operation cannot be fulfilled on clusters.management.cattle.io: the object has been modified; ` +
		`please apply your changes to the latest version and try again`
)

// tunnelParams is the body of X-API-Tunnel-Params that Rancher keeps.
type tunnelParams struct {
	Address string `json:"address"`
	Token   string `json:"token"`
	CACert  string `json:"caCert"`
}

// connectRecord is one attempt to open a tunnel.
type connectRecord struct {
	Time      time.Time       `json:"time"`
	Path      string          `json:"path"`
	Headers   map[string]bool `json:"headers"`
	Kind      string          `json:"kind,omitempty"`
	Key       string          `json:"key,omitempty"`
	Address   string          `json:"address,omitempty"`
	TokenSum  string          `json:"tokenSha256,omitempty"`
	CACertSum string          `json:"caCertSha256,omitempty"`
	Status    int             `json:"status"`
	Error     string          `json:"error,omitempty"`

	cluster *cluster
}

// session is one tunnel socket that was accepted.
type session struct {
	which  string
	key    string
	opened time.Time
	closed time.Time
	conn   *watchedConn
	frames *frameLog
}

type connectKey struct{}

type netConnKey struct{}

// withNetConn is the ConnContext of the HTTP server: handlers find the socket below their request.
func withNetConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, netConnKey{}, c)
}

func (s *server) serveTunnel(w http.ResponseWriter, r *http.Request) {
	record := &connectRecord{
		Time:    time.Now().UTC(),
		Path:    r.URL.Path,
		Headers: map[string]bool{},
	}
	for _, name := range []string{headerToken, headerParams, headerID, "Authorization"} {
		record.Headers[name] = len(r.Header.Values(name)) > 0
	}
	r = r.WithContext(context.WithValue(r.Context(), connectKey{}, record))
	tracked := &tunnelWriter{ResponseWriter: w, server: s, request: r, record: record}

	if s.faults.apply("connect", tracked, r) {
		record.Error = "planned fault"
		s.keep(record)
		return
	}
	s.tunnel.ServeHTTP(tracked, r)
	if tracked.session == nil {
		s.keep(record)
		return
	}
	tracked.session.end(record.cluster)
}

// keep stores an attempt that was refused.
func (s *server) keep(record *connectRecord) {
	if c := record.cluster; c != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.connects) < maxRecords {
			c.connects = append(c.connects, record)
		}
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.stray) < maxRecords {
		s.stray = append(s.stray, record)
	}
}

// end marks the session closed. The remotedialer server leaves the socket of a session that it dropped to Go's garbage
// collector; here it closes after a second.
func (n *session) end(c *cluster) {
	c.mu.Lock()
	n.closed = time.Now()
	conn := n.conn
	n.conn = nil
	c.mu.Unlock()
	time.AfterFunc(time.Second, func() { _ = conn.Close() })
}

// tunnelWriter sees how the request ended: a status, or a hijack by the WebSocket upgrade.
type tunnelWriter struct {
	http.ResponseWriter
	server  *server
	request *http.Request
	record  *connectRecord
	session *session
}

func (w *tunnelWriter) WriteHeader(status int) {
	w.record.Status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := w.ResponseWriter.(http.Hijacker).Hijack()
	if err != nil {
		return nil, nil, err
	}
	watched, ok := conn.(*watchedConn)
	if !ok || w.record.cluster == nil {
		_ = conn.Close()
		return nil, nil, errors.New("peer: an upgrade without a cluster or on a foreign listener")
	}
	w.record.Status = http.StatusSwitchingProtocols
	w.session = &session{
		which: w.record.Kind, key: w.record.Key, opened: time.Now(), conn: watched, frames: watched.startFrames(),
	}
	w.server.opened(w.record, w.session)
	return conn, buffered, nil
}

// opened stores the new session and, with the first API tunnel, starts the controllers of the cluster.
func (s *server) opened(record *connectRecord, n *session) {
	c := record.cluster
	s.keep(record)
	c.mu.Lock()
	if c.openSessionLocked(n.which) != nil {
		c.duplicates++
	}
	c.sessions = append(c.sessions, n)
	c.stageLocked(n.which + "Connected")
	start := false
	if n.which == apiSession {
		if c.apiWasUp {
			c.disruptedUntil = time.Now().Add(settleTime)
		}
		c.apiWasUp = true
		start = !c.running
		c.running = true
		c.setConditionLocked("Pending", "True", "", "")
		c.setConditionLocked("Provisioned", "True", "", "")
		c.setConditionLocked("ServiceAccountSecretsMigrated", "True", "", "")
	}
	c.mu.Unlock()
	if start {
		go s.controllers(c)
	}
}

func writeTunnelError(w http.ResponseWriter, r *http.Request, code int, err error) {
	if record, ok := r.Context().Value(connectKey{}).(*connectRecord); ok {
		record.Error = err.Error()
	}
	w.WriteHeader(code)
	_, _ = w.Write([]byte(err.Error()))
}

// authorizeTunnel is Rancher's chain: a registration token in X-API-Tunnel-Token decides, whatever else is sent.
func (s *server) authorizeTunnel(r *http.Request) (string, bool, error) {
	record, ok := r.Context().Value(connectKey{}).(*connectRecord)
	if !ok {
		return "", false, errors.New("peer: a tunnel request without record")
	}
	if token := r.Header.Get(headerToken); token != "" {
		record.Kind = apiSession
		return s.authorizeAPI(r, token, record)
	}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token, found := strings.CutPrefix(bearer, stvPrefix); found {
		record.Kind = stvSession
		return s.authorizeStv(token, record)
	}
	return "", false, nil
}

func (s *server) authorizeAPI(r *http.Request, token string, record *connectRecord) (string, bool, error) {
	c := s.clusterByToken(token)
	if c == nil {
		return "", false, errors.New("cluster not found")
	}
	record.cluster = c
	if c.lagging(apiSession) {
		return "", false, errors.New("cluster not found")
	}
	params, err := readTunnelParams(r.Header.Get(headerParams))
	if err != nil {
		return "", false, err
	}
	record.Address = params.Address
	record.TokenSum = fingerprint(params.Token)
	record.CACertSum = fingerprint(params.CACert)
	if err := c.acceptParams(params); err != nil {
		return "", false, err
	}
	record.Key = c.id
	return c.id, true, nil
}

func (s *server) authorizeStv(token string, record *connectRecord) (string, bool, error) {
	c := s.clusterByToken(token)
	if c == nil {
		return "", false, nil
	}
	record.cluster = c
	if c.lagging(stvSession) {
		return "", false, nil
	}
	record.Key = stvPrefix + c.id
	return record.Key, true, nil
}

// lagging plays Rancher's informer cache: the first attempts of a cluster find no token yet.
func (c *cluster) lagging(which string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lagLeft[which] <= 0 {
		return false
	}
	c.lagLeft[which]--
	return true
}

func readTunnelParams(header string) (tunnelParams, error) {
	var in struct {
		Node    json.RawMessage `json:"node"`
		Cluster *tunnelParams   `json:"cluster"`
	}
	raw, err := base64.StdEncoding.DecodeString(header)
	if err != nil {
		return tunnelParams{}, err
	}
	if err := json.Unmarshal(raw, &in); err != nil {
		return tunnelParams{}, err
	}
	switch {
	case in.Cluster == nil:
		return tunnelParams{}, errors.New("missing node or cluster registration info")
	case in.Cluster.Address == "":
		return tunnelParams{}, errors.New("invalid input, address empty")
	case in.Cluster.Token == "":
		return tunnelParams{}, errors.New("invalid input, token empty")
	case in.Cluster.CACert == "":
		return tunnelParams{}, errors.New("invalid input, caCert empty")
	}
	return *in.Cluster, nil
}

// acceptParams stores what the agent says of its API. A change restarts the controllers of the cluster, as Rancher's
// cluster manager does; an agent should never cause one.
func (c *cluster) acceptParams(params tunnelParams) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conflicts > 0 {
		c.conflicts--
		return errors.New(conflictText)
	}
	if c.params == params {
		return nil
	}
	if c.params != (tunnelParams{}) {
		now := time.Now().UTC()
		for field, differs := range map[string]bool{
			"address": c.params.Address != params.Address,
			"token":   c.params.Token != params.Token,
			"caCert":  c.params.CACert != params.CACert,
		} {
			if differs {
				c.paramsChanged = append(c.paramsChanged, paramsChange{now, field})
			}
		}
		if c.stopRun != nil {
			c.restarts++
			c.stopRun()
		}
	}
	c.params = params
	c.generation++
	return nil
}
