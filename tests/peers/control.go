// The control interface for the tests: what was recorded, and what to do to a cluster or a tunnel next. Plain HTTP, JSON.
// <id> is a cluster's id or name; a removed cluster is still found by its id.
//
//	GET  /clusters[?removed=true]            every cluster, a clusterView each
//	GET  /clusters/<id>                      one clusterView
//	GET  /settled?clusters=N[&timeout=s]     waits until N clusters are active, then a summary
//	GET  /connects                           connect attempts that belong to no cluster
//	GET  /raw/<id>?path=/…                   one request through a tunnel [session=api|stv, method=, accept=]
//	POST /clusters/<id>/dial                 {"session":"api|stv","address":"h:p","proto":"tcp"}: one stream to anywhere
//	POST /clusters/<id>/drop                 [session=api|stv|both, mode=close|reset|stall]: ends tunnels
//	POST /clusters/<id>/informers            [count=20, watchlist=false, timeout=s]: more watches
//	POST /clusters/<id>/verify               compares every watch with a fresh list
//	POST /clusters/<id>/rotate-token         [grace=true]: new registration tokens
//	POST /clusters/<id>/backpressure         [mib=8]: a fast writer, then a slow reader
//	POST /clusters/<id>/lists                seconds=N, path=/… [compress=false]: one list over and over
//	GET, POST, DELETE /faults                what the REST routes and connects answer instead of working

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

const (
	dialTimeout   = 2 * time.Second
	rawTimeout    = 30 * time.Second
	maxRawBody    = 16 << 20
	settleDefault = 60 * time.Second
)

func (s *server) controlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /clusters", s.controlClusters)
	mux.HandleFunc("GET /clusters/{id}", s.withCluster(s.controlCluster))
	mux.HandleFunc("DELETE /clusters/{id}", s.withCluster(s.controlRemove))
	mux.HandleFunc("POST /clusters/{id}/dial", s.withCluster(s.controlDial))
	mux.HandleFunc("POST /clusters/{id}/drop", s.withCluster(s.controlDrop))
	mux.HandleFunc("POST /clusters/{id}/informers", s.withCluster(s.controlInformers))
	mux.HandleFunc("POST /clusters/{id}/verify", s.withCluster(s.controlVerify))
	mux.HandleFunc("POST /clusters/{id}/rotate-token", s.withCluster(s.controlRotate))
	mux.HandleFunc("POST /clusters/{id}/backpressure", s.withCluster(s.controlBackpressure))
	mux.HandleFunc("POST /clusters/{id}/lists", s.withCluster(s.controlLists))
	mux.HandleFunc("GET /raw/{id}", s.withCluster(s.controlRaw))
	mux.HandleFunc("GET /settled", s.controlSettled)
	mux.HandleFunc("GET /connects", s.controlStray)
	mux.HandleFunc("GET /faults", s.controlFaults)
	mux.HandleFunc("POST /faults", s.controlFaults)
	mux.HandleFunc("DELETE /faults", s.controlFaults)
	return mux
}

// withCluster finds the cluster by id or by name, also a removed one.
func (s *server) withCluster(next func(http.ResponseWriter, *http.Request, *cluster)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		c := s.known(id)
		if c == nil {
			for _, other := range s.allClusters() {
				if other.name == id {
					c = other
				}
			}
		}
		if c == nil {
			writeJSON(w, http.StatusNotFound, map[string]string{"error": "no cluster with id or name " + id})
			return
		}
		next(w, r, c)
	}
}

// clusterView is one cluster in the answers of GET /clusters.
type clusterView struct {
	ID                   string            `json:"id"`
	Name                 string            `json:"name"`
	Labels               map[string]string `json:"labels"`
	Annotations          map[string]string `json:"annotations"`
	State                string            `json:"state"`
	TransitioningMessage string            `json:"transitioningMessage,omitempty"`
	Created              time.Time         `json:"created"`
	Version              string            `json:"version,omitempty"`
	Stages               map[string]string `json:"stages"`
	StageMs              map[string]int64  `json:"stageMs"`
	Conditions           []condition       `json:"conditions"`
	Connects             []*connectRecord  `json:"connects"`
	ParamsChanged        []paramsChange    `json:"paramsChanged"`
	ControllerRestarts   int               `json:"controllerRestarts"`
	Sessions             []sessionView     `json:"sessions"`
	// DuplicateSessions counts tunnels opened while one with the same key was still open.
	DuplicateSessions int `json:"duplicateSessions"`
	// Pings and TextFrames are sums over all sessions by kind of tunnel.
	Pings                map[string]int      `json:"pings"`
	TextFrames           int                 `json:"textFrames"`
	Kinds                map[string]kindView `json:"kinds"`
	AllSynced            bool                `json:"allSynced"`
	UnexplainedRelists   int                 `json:"unexplainedRelists"`
	Nodes                []string            `json:"nodes"`
	Heartbeats           []heartbeat         `json:"heartbeats"`
	StvPings             probeStats          `json:"stvPings"`
	Readyz               probeStats          `json:"readyz"`
	Checks               map[string]any      `json:"checks"`
	Errors               []failure           `json:"errors"`
	ErrorsUndisrupted    int                 `json:"errorsUndisrupted"`
	AgentImage           string              `json:"agentImage,omitempty"`
	RegistrationTokenSum string              `json:"registrationTokenSha256,omitempty"`
}

type sessionView struct {
	Session string     `json:"session"`
	Key     string     `json:"key"`
	Opened  time.Time  `json:"opened"`
	Closed  *time.Time `json:"closed,omitempty"`
	framesView
}

type framesView struct {
	Pings        int            `json:"pings"`
	Pongs        int            `json:"pongs"`
	MinPingGapMs float64        `json:"minPingGapMs"`
	MaxPingGapMs float64        `json:"maxPingGapMs"`
	SincePingMs  float64        `json:"sincePingMs"`
	TextFrames   int            `json:"textFrames"`
	BinaryFrames int            `json:"binaryFrames"`
	Unmasked     int            `json:"unmaskedFrames"`
	CloseFrames  int            `json:"closeFrames"`
	CloseCode    int            `json:"closeCode,omitempty"`
	BytesIn      int64          `json:"bytesIn"`
	BytesOut     int64          `json:"bytesOut"`
	Received     map[string]int `json:"received"`
	Sent         map[string]int `json:"sent"`
	ErrorTexts   []string       `json:"errorTexts"`
	Undecodable  int            `json:"undecodable"`
	LatePaused   int64          `json:"bytesLongAfterPause"`
}

func (l *frameLog) view() framesView {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := framesView{
		Pings: l.pings, Pongs: l.pongs, MinPingGapMs: ms(l.minPingGap), MaxPingGapMs: ms(l.maxPingGap),
		TextFrames: l.textFrames, BinaryFrames: l.binaryFrames, Unmasked: l.unmasked,
		CloseFrames: l.closeFrames, CloseCode: l.closeCode, BytesIn: l.bytesIn, BytesOut: l.bytesOut,
		Received: copyOf(l.received), Sent: copyOf(l.sent), ErrorTexts: append([]string{}, l.errorTexts...),
		Undecodable: l.undecodable, LatePaused: l.latePaused,
	}
	if !l.lastPing.IsZero() {
		v.SincePingMs = ms(time.Since(l.lastPing))
	}
	return v
}

type kindView struct {
	Client             string         `json:"client"`
	SyncedAt           *time.Time     `json:"syncedAt,omitempty"`
	SyncMs             float64        `json:"syncMs,omitempty"`
	Objects            int            `json:"objects"`
	ResourceVersion    string         `json:"resourceVersion"`
	Lists              int            `json:"lists"`
	ListPages          int            `json:"listPages"`
	Watches            int            `json:"watches"`
	WatchLists         int            `json:"watchLists"`
	Fallbacks          int            `json:"fallbacks"`
	Events             map[string]int `json:"events"`
	InitialEventsEnds  int            `json:"initialEventsEnds"`
	WatchErrors        []failure      `json:"watchErrors"`
	UnexplainedRelists int            `json:"unexplainedRelists"`
	RVRegressions      int            `json:"rvRegressions"`
	LastListQuery      string         `json:"lastListQuery,omitempty"`
	LastWatchQuery     string         `json:"lastWatchQuery,omitempty"`
	Stopped            bool           `json:"stopped"`
}

func (k *kind) view() kindView {
	if k.informer.HasSynced() {
		k.markSynced()
	}
	objects := len(k.informer.GetStore().ListKeys())
	version := k.informer.LastSyncResourceVersion()
	k.mu.Lock()
	defer k.mu.Unlock()
	v := kindView{
		Client: "typed", Objects: objects, ResourceVersion: version,
		Lists: k.lists, ListPages: k.listPages, Watches: k.watches, WatchLists: k.watchLists, Fallbacks: k.fallbacks,
		InitialEventsEnds: k.initialEnds, WatchErrors: append([]failure{}, k.watchErrors...),
		UnexplainedRelists: k.unexplainedLocked(), RVRegressions: k.rvRegressions,
		LastListQuery: k.lastList, LastWatchQuery: k.lastWatch, Stopped: k.stopped,
		Events: map[string]int{},
	}
	for _, kind := range []watch.EventType{watch.Added, watch.Modified, watch.Deleted, watch.Bookmark, watch.Error} {
		v.Events[string(kind)] = k.events[kind]
	}
	if k.newObject == nil {
		v.Client = "dynamic"
	}
	if !k.synced.IsZero() {
		at := k.synced.UTC()
		v.SyncedAt, v.SyncMs = &at, ms(k.synced.Sub(k.started))
	}
	return v
}

func (c *cluster) view() clusterView {
	c.mu.Lock()
	kinds := append([]*kind{}, c.kinds...)
	c.mu.Unlock()
	views := map[string]kindView{}
	unexplained, synced := 0, len(kinds) > 0
	for _, k := range kinds {
		one := k.view()
		views[k.name] = one
		unexplained += one.UnexplainedRelists
		synced = synced && one.SyncedAt != nil
	}
	nodes := c.nodeNames()

	c.mu.Lock()
	defer c.mu.Unlock()
	state, _, message := c.stateLocked()
	v := clusterView{
		ID: c.id, Name: c.name, Labels: c.labels, Annotations: c.annotations, State: state, TransitioningMessage: message,
		Created: c.created.UTC(), Version: c.version, Stages: map[string]string{}, StageMs: map[string]int64{},
		Conditions: []condition{}, Connects: append([]*connectRecord{}, c.connects...),
		ParamsChanged: append([]paramsChange{}, c.paramsChanged...), ControllerRestarts: c.restarts,
		Sessions: []sessionView{}, DuplicateSessions: c.duplicates, Pings: map[string]int{}, Kinds: views, AllSynced: synced, UnexplainedRelists: unexplained,
		Nodes: nodes, Heartbeats: append([]heartbeat{}, c.heartbeats...), StvPings: c.stvPings, Readyz: c.readyz,
		Checks: copyOf(c.checks), Errors: append([]failure{}, c.errors...), AgentImage: c.agentImage,
	}
	if len(c.tokens) > 0 {
		v.RegistrationTokenSum = fingerprint(c.tokens[len(c.tokens)-1].Value)
	}
	for name, at := range c.stages {
		v.Stages[name] = at.Format(time.RFC3339Nano)
		v.StageMs[name] = at.Sub(c.created).Milliseconds()
	}
	for _, kind := range c.order {
		v.Conditions = append(v.Conditions, *c.conditions[kind])
	}
	for _, n := range c.sessions {
		one := sessionView{Session: n.which, Key: n.key, Opened: n.opened.UTC(), framesView: n.frames.view()}
		if !n.closed.IsZero() {
			at := n.closed.UTC()
			one.Closed = &at
		}
		v.Pings[n.which] += one.Pings
		v.TextFrames += one.TextFrames
		v.Sessions = append(v.Sessions, one)
	}
	for _, one := range v.Errors {
		if !one.Disrupted {
			v.ErrorsUndisrupted++
		}
	}
	return v
}

func copyOf[V any](m map[string]V) map[string]V {
	copied := make(map[string]V, len(m))
	for key, value := range m {
		copied[key] = value
	}
	return copied
}

func (s *server) controlClusters(w http.ResponseWriter, r *http.Request) {
	all := s.allClusters()
	if r.URL.Query().Get("removed") == "true" {
		s.mu.Lock()
		for _, c := range s.removed {
			all = append(all, c)
		}
		s.mu.Unlock()
	}
	sort.Slice(all, func(i, j int) bool { return all[i].name < all[j].name })
	views := make([]clusterView, 0, len(all))
	for _, c := range all {
		views = append(views, c.view())
	}
	writeJSON(w, http.StatusOK, views)
}

func (s *server) controlCluster(w http.ResponseWriter, _ *http.Request, c *cluster) {
	writeJSON(w, http.StatusOK, c.view())
}

// dialRequest is the body of POST /clusters/<id>/dial.
type dialRequest struct {
	Session string `json:"session"`
	Address string `json:"address"`
	Proto   string `json:"proto"`
}

// controlDial opens one stream to any address. A refusal arrives as an Error message; an open stream stays silent, because
// both sides wait for the client's first byte.
func (s *server) controlDial(w http.ResponseWriter, r *http.Request, c *cluster) {
	in := dialRequest{Session: apiSession, Proto: "tcp"}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "body: expected {session,address,proto}, got: " + err.Error()})
		return
	}
	before := c.openSessions(in.Session)
	begin := time.Now()
	err := s.dialOnce(r.Context(), c, in)
	result := map[string]any{"ok": err == nil, "error": errorText(err), "ms": ms(time.Since(begin))}

	workErr := s.exchange(r.Context(), c, in.Session)
	after := c.openSessions(in.Session)
	same := len(before) > 0 && len(after) > 0 && before[0] == after[0]
	result["sessionAlive"] = same && workErr == nil
	result["sessionError"] = errorText(workErr)
	writeJSON(w, http.StatusOK, result)
}

func (s *server) dialOnce(ctx context.Context, c *cluster, in dialRequest) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := s.dialer(c, in.Session)(ctx, in.Proto, in.Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(dialTimeout)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	if err != nil && err.Error() == "deadline exceeded" {
		return nil
	}
	return err
}

// exchange proves that a session still works.
func (s *server) exchange(ctx context.Context, c *cluster, which string) error {
	if which == stvSession {
		return s.stvPing(ctx, c)
	}
	_, _, err := s.rawGet(ctx, c, apiSession, http.MethodGet, "/version", nil)
	return err
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// controlRemove deletes the cluster as somebody in Rancher's UI does, of whom the agent hears nothing.
func (s *server) controlRemove(w http.ResponseWriter, _ *http.Request, c *cluster) {
	s.remove(c)
	writeJSON(w, http.StatusOK, s.clusterObject(c))
}

// controlDrop ends sessions from the server's side: with FIN (close), with RST (reset), or by falling silent (stall).
func (s *server) controlDrop(w http.ResponseWriter, r *http.Request, c *cluster) {
	which, mode := queryOr(r, "session", "both"), queryOr(r, "mode", "close")
	// Noted before the act: a probe in flight sees the loss of its connection before the session is seen to end.
	c.disrupt()
	dropped := 0
	for _, n := range c.openSessions(which) {
		c.mu.Lock()
		conn := n.conn
		c.mu.Unlock()
		if conn == nil {
			continue
		}
		switch mode {
		case "close":
			_ = conn.Close()
		case "reset":
			_ = conn.reset()
		case "stall":
			conn.stall()
		default:
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "mode: expected close, reset or stall, got " + mode})
			return
		}
		dropped++
	}
	writeJSON(w, http.StatusOK, map[string]int{"dropped": dropped})
}

// controlInformers starts watches up to a count and waits until they are synced.
func (s *server) controlInformers(w http.ResponseWriter, r *http.Request, c *cluster) {
	all := append(append([]kindSpec{}, rancherKinds...), extraKinds...)
	count, err := strconv.Atoi(queryOr(r, "count", strconv.Itoa(len(all))))
	if err != nil || count < 0 || count > len(all) {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("count: expected 0 to %d", len(all))})
		return
	}
	watchList := queryOr(r, "watchlist", strconv.FormatBool(s.watchList)) == "true" && s.watchList
	limit := secondsOr(r, "timeout", 30*time.Second)
	c.mu.Lock()
	cl, ctx := c.clients, c.runCtx
	c.mu.Unlock()
	if cl == nil {
		writeJSON(w, http.StatusConflict, map[string]string{"error": errDisconnected.Error()})
		return
	}
	kinds := s.startKinds(ctx, c, cl, all[:count], watchList)
	late := waitForKinds(r.Context(), kinds, limit)
	if len(late) > 0 {
		c.fail("informers", "expected all %d watches to be synced within %s, not synced: %v", len(kinds), limit, late)
	}
	views := map[string]kindView{}
	for _, k := range kinds {
		views[k.name] = k.view()
	}
	writeJSON(w, http.StatusOK, map[string]any{"ok": len(late) == 0, "notSynced": late, "kinds": views})
}

// controlVerify compares every running watch with a fresh list.
func (s *server) controlVerify(w http.ResponseWriter, r *http.Request, c *cluster) {
	c.mu.Lock()
	kinds := append([]*kind{}, c.kinds...)
	c.mu.Unlock()
	differences := []string{}
	compared := 0
	for _, k := range kinds {
		k.mu.Lock()
		stopped := k.stopped
		k.mu.Unlock()
		if stopped {
			continue
		}
		compared++
		if err := k.verify(r.Context()); err != nil {
			differences = append(differences, err.Error())
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"ok": len(differences) == 0, "compared": compared, "differences": differences})
}

// controlRotate replaces the registration tokens; with ?grace=true the old ones stay valid, as during Rancher's grace period.
func (s *server) controlRotate(w http.ResponseWriter, r *http.Request, c *cluster) {
	grace := r.URL.Query().Get("grace") == "true"
	c.mu.Lock()
	for _, token := range c.tokens {
		if grace {
			c.graceTokens[token.Value] = true
		}
		token.Value = randomText(54, idAlphabet)
	}
	if !grace {
		c.graceTokens = map[string]bool{}
	}
	c.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"ok": true, "registrationTokenSha256": fingerprint(c.currentToken())})
}

func (s *server) controlBackpressure(w http.ResponseWriter, r *http.Request, c *cluster) {
	mib, err := strconv.Atoi(queryOr(r, "mib", "8"))
	if err != nil || mib < 1 || mib > 256 {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "mib: expected 1 to 256"})
		return
	}
	writeJSON(w, http.StatusOK, s.backpressure(r.Context(), c, mib))
}

// controlRaw does one request through a tunnel and returns what came back.
func (s *server) controlRaw(w http.ResponseWriter, r *http.Request, c *cluster) {
	path := r.URL.Query().Get("path")
	if path == "" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "path: expected ?path=/…"})
		return
	}
	header := http.Header{}
	if accept := r.URL.Query().Get("accept"); accept != "" {
		header.Set("Accept", accept)
	}
	response, body, err := s.rawGet(r.Context(), c, queryOr(r, "session", apiSession), queryOr(r, "method", http.MethodGet), path, header)
	if err != nil {
		writeJSON(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"status": response.StatusCode, "headers": response.Header, "body": string(body)})
}

func (s *server) rawGet(ctx context.Context, c *cluster, which, method, path string, header http.Header) (*http.Response, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, rawTimeout)
	defer cancel()
	transport, base, token := s.stvTransport(c), "http://not-used", ""
	if which == apiSession {
		fresh, params, err := s.apiTransport(c)
		if err != nil {
			return nil, nil, err
		}
		fresh.DisableKeepAlives = true
		transport, base, token = fresh, "https://"+params.Address, params.Token
	}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, method, base+path, nil)
	if err != nil {
		return nil, nil, err
	}
	if header != nil {
		request.Header = header
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRawBody))
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, nil, err
	}
	return response, body, nil
}

// controlSettled waits until enough clusters are active.
func (s *server) controlSettled(w http.ResponseWriter, r *http.Request) {
	wanted, err := strconv.Atoi(queryOr(r, "clusters", "1"))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "clusters: expected a number"})
		return
	}
	begin := time.Now()
	deadline := begin.Add(secondsOr(r, "timeout", settleDefault))
	for {
		summary := s.summary()
		settled := summary["active"].(int) >= wanted
		if settled || time.Now().After(deadline) {
			summary["settled"] = settled
			summary["elapsedMs"] = ms(time.Since(begin))
			writeJSON(w, http.StatusOK, summary)
			return
		}
		if sleep(r.Context(), 50*time.Millisecond) != nil {
			return
		}
	}
}

func (s *server) summary() map[string]any {
	byState := map[string]int{}
	errorCount, undisrupted := 0, 0
	all := s.allClusters()
	first := []map[string]any{}
	for _, c := range all {
		byState[c.state()]++
		c.mu.Lock()
		for _, one := range c.errors {
			errorCount++
			if !one.Disrupted {
				undisrupted++
			}
			if len(first) < 20 {
				first = append(first, map[string]any{"cluster": c.name, "step": one.Step, "message": one.Message, "disrupted": one.Disrupted})
			}
		}
		c.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{
		"clusters": len(all), "active": byState["active"], "byState": byState, "removed": len(s.removed),
		"errors": errorCount, "errorsUndisrupted": undisrupted, "firstErrors": first,
		"clientGoErrors": append([]failure{}, s.klog...), "strayConnects": len(s.stray),
	}
}

// controlStray lists connect attempts that belong to no cluster.
func (s *server) controlStray(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	stray := append([]*connectRecord{}, s.stray...)
	s.mu.Unlock()
	writeJSON(w, http.StatusOK, stray)
}

func (s *server) controlFaults(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodPost:
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = s.faults.set(body)
		}
		if err != nil {
			writeJSON(w, http.StatusBadRequest, map[string]string{"error": "body: " + err.Error()})
			return
		}
	case http.MethodDelete:
		s.faults.clear()
	}
	writeJSON(w, http.StatusOK, s.faults.view())
}

func queryOr(r *http.Request, name, fallback string) string {
	if value := r.URL.Query().Get(name); value != "" {
		return value
	}
	return fallback
}

func secondsOr(r *http.Request, name string, fallback time.Duration) time.Duration {
	if seconds, err := strconv.ParseFloat(r.URL.Query().Get(name), 64); err == nil {
		return time.Duration(seconds * float64(time.Second))
	}
	return fallback
}

func decodeJSON(body []byte, into any) error { return json.Unmarshal(body, into) }
