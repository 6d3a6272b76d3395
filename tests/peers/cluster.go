// One imported cluster as the played Rancher knows it, and everything recorded about it.
//
// Ids and tokens follow rancher-protocol §1.1 and §1.3, conditions and state §5.1 and §5.2.

package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log"
	"net/http"
	"sort"
	"sync"
	"time"
)

const (
	idAlphabet = "bcdfghjklmnpqrstvwxz2456789"
	// maxRecords bounds each recorded list of one cluster.
	maxRecords = 500
	// settleTime is how long after a tunnel came back errors still count as caused by its loss.
	settleTime = 10 * time.Second
)

// cluster is one management cluster with its tunnels, its controllers and what they saw.
type cluster struct {
	id      string
	name    string
	created time.Time
	ctx     context.Context
	cancel  context.CancelFunc

	mu          sync.Mutex
	labels      map[string]string
	annotations map[string]string
	tokens      []*registrationToken
	graceTokens map[string]bool
	lagLeft     map[string]int
	conflicts   int
	params      tunnelParams
	generation  int
	running     bool
	runCtx      context.Context
	stopRun     context.CancelFunc
	conditions  map[string]*condition
	order       []string
	removing    bool
	removed     time.Time
	version     string
	agentImage  string

	connects       []*connectRecord
	sessions       []*session
	duplicates     int
	paramsChanged  []paramsChange
	restarts       int
	stages         map[string]time.Time
	errors         []failure
	kinds          []*kind
	nodes          map[string]bool
	heartbeats     []heartbeat
	stvPings       probeStats
	readyz         probeStats
	checks         map[string]any
	apiWasUp       bool
	disruptedUntil time.Time
	clients        *clients

	proxyPool       *http.Transport
	proxyGeneration int
}

type registrationToken struct {
	ID      string
	Value   string
	created time.Time
	filled  time.Time
}

// condition is one entry of the norman conditions list.
type condition struct {
	Type           string    `json:"type"`
	Status         string    `json:"status"`
	Reason         string    `json:"reason,omitempty"`
	Message        string    `json:"message,omitempty"`
	LastUpdateTime time.Time `json:"lastUpdateTime"`
}

type failure struct {
	Time    time.Time `json:"time"`
	Step    string    `json:"step"`
	Message string    `json:"message"`
	// Disrupted says that a tunnel had just been dropped on purpose, or that the API tunnel was down or had just come back.
	Disrupted bool `json:"disrupted"`
}

type paramsChange struct {
	Time  time.Time `json:"time"`
	Field string    `json:"field"`
}

type heartbeat struct {
	Time time.Time `json:"time"`
	Kind string    `json:"kind"`
	Name string    `json:"name"`
}

type probeStats struct {
	OK            int     `json:"ok"`
	Failed        int     `json:"failed"`
	LastMs        float64 `json:"lastMs"`
	MaxMs         float64 `json:"maxMs"`
	LastError     string  `json:"lastError,omitempty"`
	ConsecutiveKO int     `json:"consecutiveFailures"`
}

func (p *probeStats) record(took time.Duration, err error) {
	p.LastMs = ms(took)
	p.MaxMs = max(p.MaxMs, p.LastMs)
	if err == nil {
		p.OK++
		p.ConsecutiveKO = 0
		return
	}
	p.Failed++
	p.ConsecutiveKO++
	p.LastError = err.Error()
}

func ms(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

func newCluster(parent context.Context, id, name string, lag, conflicts int) *cluster {
	ctx, cancel := context.WithCancel(parent)
	c := &cluster{
		id:          id,
		name:        name,
		created:     time.Now(),
		ctx:         ctx,
		cancel:      cancel,
		labels:      map[string]string{},
		annotations: map[string]string{},
		graceTokens: map[string]bool{},
		lagLeft:     map[string]int{apiSession: lag, stvSession: lag},
		conflicts:   conflicts,
		conditions:  map[string]*condition{},
		stages:      map[string]time.Time{},
		nodes:       map[string]bool{},
		checks:      map[string]any{},
	}
	c.setCondition("Pending", "Unknown", "", "")
	c.setCondition("Waiting", "Unknown", "", "Waiting for API to be available")
	c.setCondition("Updated", "Unknown", "", "[Pending] waiting for full cluster configuration")
	return c
}

// setCondition writes one condition, as the controllers of §5.1 do.
func (c *cluster) setCondition(kind, status, reason, message string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setConditionLocked(kind, status, reason, message)
}

func (c *cluster) setConditionLocked(kind, status, reason, message string) {
	old, known := c.conditions[kind]
	if known && old.Status == status && old.Reason == reason && old.Message == message {
		return
	}
	if !known {
		c.order = append(c.order, kind)
	}
	c.conditions[kind] = &condition{kind, status, reason, message, time.Now().UTC()}
	if state, _, _ := c.stateLocked(); state == "active" {
		c.stageLocked("active")
	}
}

func (c *cluster) isTrueLocked(kind string) bool {
	found, ok := c.conditions[kind]
	return ok && found.Status == "True"
}

// stateLocked computes state, transitioning and transitioningMessage (§5.2).
func (c *cluster) stateLocked() (state, transitioning, message string) {
	of := func(kind string) condition {
		if found, ok := c.conditions[kind]; ok {
			return *found
		}
		return condition{Type: kind}
	}
	if !c.removed.IsZero() {
		return "removed", "no", ""
	}
	if c.removing {
		return "removing", "yes", "waiting for the finalizers"
	}
	if ready := of("Ready"); ready.Status == "False" {
		return "unavailable", "error", ready.Message
	}
	if deployed := of("AgentDeployed"); deployed.Status == "False" {
		return "unavailable", "error", deployed.Message
	}
	if pending := of("Pending"); pending.Status == "Unknown" {
		return "pending", "yes", "Waiting for API to be available"
	}
	if provisioned := of("Provisioned"); provisioned.Status != "True" {
		return "provisioning", "yes", provisioned.Message
	}
	if updated := of("Updated"); updated.Status == "Unknown" {
		return "updating", "yes", updated.Message
	}
	for _, kind := range []string{"Connected", "Ready", "AgentDeployed"} {
		if of(kind).Status != "True" {
			return "waiting", "yes", "waiting for condition " + kind
		}
	}
	return "active", "no", ""
}

func (c *cluster) state() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	state, _, _ := c.stateLocked()
	return state
}

func (c *cluster) stage(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stageLocked(name)
}

func (c *cluster) stageLocked(name string) {
	if _, done := c.stages[name]; !done {
		c.stages[name] = time.Now().UTC()
	}
}

// fail records that a step went wrong; the message says what happened and what was expected.
func (c *cluster) fail(step, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil || len(c.errors) >= maxRecords {
		return
	}
	message := fmt.Sprintf(format, args...)
	c.errors = append(c.errors, failure{
		Time:      time.Now().UTC(),
		Step:      step,
		Message:   message,
		Disrupted: c.disruptedLocked(),
	})
	log.Printf("%s %s: %s: %s", c.id, c.name, step, message)
}

func (c *cluster) disrupted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disruptedLocked()
}

// disrupt says that errors from now on, and for settleTime, are of our own making.
func (c *cluster) disrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disruptedUntil = time.Now().Add(settleTime)
}

func (c *cluster) disruptedLocked() bool {
	return c.removing || !c.apiUpLocked() || time.Now().Before(c.disruptedUntil)
}

func (c *cluster) apiUpLocked() bool {
	return c.openSessionLocked(apiSession) != nil
}

// openSessionLocked is the session that remotedialer dials: the oldest one still open.
func (c *cluster) openSessionLocked(which string) *session {
	for _, s := range c.sessions {
		if s.which == which && s.closed.IsZero() {
			return s
		}
	}
	return nil
}

func (c *cluster) openSessions(which string) []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	var open []*session
	for _, s := range c.sessions {
		if s.closed.IsZero() && (which == "both" || s.which == which) {
			open = append(open, s)
		}
	}
	return open
}

func (c *cluster) nodeNames() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	names := make([]string, 0, len(c.nodes))
	for name := range c.nodes {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

func (c *cluster) check(name string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checks[name] = value
}

func (c *cluster) addHeartbeat(kind, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.heartbeats) >= maxRecords {
		c.heartbeats = c.heartbeats[1:]
	}
	c.heartbeats = append(c.heartbeats, heartbeat{time.Now().UTC(), kind, name})
}

func randomText(n int, alphabet string) string {
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		panic(err) // crypto/rand never fails on the systems this runs on
	}
	for i := range b {
		b[i] = alphabet[int(b[i])%len(alphabet)]
	}
	return string(b)
}

// fingerprint identifies a secret in a record without repeating it.
func fingerprint(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
