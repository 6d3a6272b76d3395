package main

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func metav1Now() metav1.Time { return metav1.Now() }

func encodeText(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestClusterBecomesActiveAndGoes(t *testing.T) {
	h := start(t, func(o *options) { o.kubectlFirst = 0 })
	id, token := h.create("edge")
	h.agent(token, newFakeAPI(), pong())
	settled := h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=20", "")
	c := h.cluster(id)
	if settled["settled"] != true {
		t.Fatalf("expected an active cluster, got %v after %v with checks %v", settled["text"], c.view().Stages, c.view().Checks)
	}
	defer func() { t.Log(c.view().Stages, c.view().Checks, c.view().Errors) }()
	h.eventually("all steps", func() bool { return c.view().Stages["crd"] != "" || len(c.view().Errors) > 0 })
	if extra := h.controlCall(http.MethodPost, "/clusters/"+id+"/informers?count=20&watchlist=false", ""); extra["ok"] != true {
		t.Errorf("expected 20 synced watches, got %v", extra)
	}
	if verified := h.controlCall(http.MethodPost, "/clusters/"+id+"/verify", ""); verified["ok"] != true || verified["compared"] != 20.0 {
		t.Errorf("expected 20 watches that hold what a list says, got %v", verified)
	}
	view := c.view()
	for _, one := range view.Errors {
		t.Errorf("step %s: %s", one.Step, one.Message)
	}
	if view.UnexplainedRelists != 0 || len(view.Kinds) != 20 || strings.Join(view.Nodes, ",") != "node-1" {
		t.Errorf("expected 20 kinds without relist and node-1, got %d, %d, %v", len(view.Kinds), view.UnexplainedRelists, view.Nodes)
	}
	for name, one := range view.Kinds {
		byList := slices.ContainsFunc(extraKinds, func(spec kindSpec) bool { return spec.name == name })
		if byList && (one.WatchLists != 0 || one.Lists != 1 || one.Watches != 1) {
			t.Errorf("%s: expected one list and one watch, got %+v", name, one)
		}
		if !byList && (one.WatchLists != 1 || one.Lists != 0 || one.InitialEventsEnds != 1 || one.RVRegressions != 0) {
			t.Errorf("%s: expected one watch-list with one end of initial events, got %+v", name, one)
		}
	}

	h.call(http.MethodDelete, "/v3/clusters/"+id, "")
	h.eventually("404", func() bool {
		status, _ := h.call(http.MethodGet, "/v3/clusters/"+id, "")
		return status == http.StatusNotFound
	})
	view = h.known(id).view()
	if cleanup, _ := view.Checks["cleanup"].(map[string]any); cleanup["ok"] != true || view.State != "removed" {
		t.Errorf("expected a cleaned up, removed cluster, got %v %s", view.Checks["cleanup"], view.State)
	}
	if status, text, _ := h.handshake("/v3/connect", apiHeaders(token, "e30=")); status != 400 || text != "cluster not found" {
		t.Errorf("connect after removal: expected 400 cluster not found, got %d %q", status, text)
	}
}

func TestAgentIsDeployedWithKubectl(t *testing.T) {
	if findKubectl() == "" {
		t.Skip("no kubectl at $KUBECTL or in PATH")
	}
	h := start(t, func(o *options) { o.steps = "none" })
	id, token := h.create("edge")
	h.agent(token, newFakeAPI(), pong())
	h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=60", "")
	view := h.cluster(id).view()
	for _, one := range view.Errors {
		t.Errorf("step %s: %s", one.Step, one.Message)
	}
	applied, _ := view.Checks["kubectl"].(map[string]any)
	if second, _ := applied["second"].([]string); len(second) != 9 || view.AgentImage != h.agentImage {
		t.Errorf("expected nine unchanged objects and image %s, got %v and %s", h.agentImage, applied, view.AgentImage)
	}
}

func TestRefusedWatchListFallsBack(t *testing.T) {
	h := start(t, func(o *options) { o.kubectlFirst, o.steps = 0, "none" })
	id, token := h.create("edge")
	api := newFakeAPI()
	api.noStream = true
	h.agent(token, api, pong())
	h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=20", "")
	for name, one := range h.cluster(id).view().Kinds {
		if one.WatchLists != 1 || one.Lists != 1 || one.Fallbacks != 1 || one.UnexplainedRelists != 0 {
			t.Errorf("%s: expected a refused watch-list and one list, got %+v", name, one)
		}
	}
}

func TestWatchesSurviveALostTunnel(t *testing.T) {
	h := start(t, func(o *options) { o.kubectlFirst, o.steps = 0, "none" })
	id, token := h.create("edge")
	h.agent(token, newFakeAPI(), pong())
	h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=20", "")
	c := h.cluster(id)
	h.controlCall(http.MethodPost, "/clusters/"+id+"/drop?session=both", "")
	h.eventually("both tunnels and state active again", func() bool {
		return len(c.openSessions("both")) == 2 && c.state() == "active"
	})
	h.eventually("watches that follow again", func() bool {
		return h.controlCall(http.MethodPost, "/clusters/"+id+"/verify", "")["ok"] == true
	})
	view := c.view()
	if view.ErrorsUndisrupted != 0 || view.ControllerRestarts != 0 {
		t.Errorf("expected only errors of the disruption and no restart, got %+v", view.Errors)
	}
}

func TestBackpressure(t *testing.T) {
	h := start(t, func(o *options) { o.kubectlFirst, o.steps = 0, "none" })
	id, token := h.create("edge")
	h.agent(token, newFakeAPI(), pong())
	h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=20", "")
	result := h.controlCall(http.MethodPost, "/clusters/"+id+"/backpressure?mib=8", "")
	if result["intact"] != true || result["sessionAlive"] != true || result["pausesSent"].(float64) < 1 ||
		result["bytesLongAfterPause"] != 0.0 {
		t.Errorf("expected an intact body with at least one pause that was obeyed, got %v", result)
	}
}

func TestProxyForwardsAsTheUser(t *testing.T) {
	h := start(t, func(o *options) { o.kubectlFirst, o.steps = 0, "none" })
	id, token := h.create("edge")
	seen := make(chan *http.Request, 1)
	api := newFakeAPI()
	h.agent(token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/apis/seen/by/proxy" {
			seen <- r
		}
		api.ServeHTTP(w, r)
	}), pong())
	h.controlCall(http.MethodGet, "/settled?clusters=1&timeout=20", "")
	h.call(http.MethodGet, "/k8s/clusters/"+id+"/apis/seen/by/proxy?x=1", "")
	got := <-seen
	if got.Header.Get("Authorization") != "Bearer service-account-token" || got.Header.Get("Impersonate-User") != impersonatedUser ||
		got.URL.RawQuery != "x=1" {
		t.Errorf("expected the account's token, Impersonate-User and the query, got %v %v", got.Header, got.URL)
	}
	if status, _ := h.callWith("Bearer wrong", http.MethodGet, h.url+"/k8s/clusters/"+id+"/version", ""); status != http.StatusUnauthorized {
		t.Errorf("proxy with a wrong token: expected 401, got %d", status)
	}
	if status, answer := h.call(http.MethodGet, "/k8s/clusters/"+id+"/v1/ping", ""); status != http.StatusNotFound {
		t.Errorf("proxy of /v1 to the steve tunnel: expected its 404, got %d %v", status, answer)
	}
}
