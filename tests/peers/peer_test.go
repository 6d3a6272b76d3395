package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestClusterNames(t *testing.T) {
	h := start(t, nil)
	for _, one := range []struct {
		name, code, field string
		status            int
	}{
		{"edge-1", "", "", http.StatusCreated},
		{"", "MissingRequired", "Cluster name", http.StatusUnprocessableEntity},
		{"Edge", "InvalidFormat", "name", http.StatusUnprocessableEntity},
		{"edge-", "InvalidFormat", "name", http.StatusUnprocessableEntity},
		{strings.Repeat("a", 64), "InvalidFormat", "name", http.StatusUnprocessableEntity},
		{strings.Repeat("a", 63), "", "", http.StatusCreated},
		{"edge-1", "NotUnique", "Cluster name", http.StatusUnprocessableEntity},
	} {
		status, answer := h.call(http.MethodPost, "/v3/clusters", fmt.Sprintf(`{"type":"cluster","name":%q}`, one.name))
		if status != one.status {
			t.Errorf("name %q: expected status %d, got %d %v", one.name, one.status, status, answer)
		}
		if one.code != "" && (answer["code"] != one.code || answer["fieldName"] != one.field || answer["type"] != "error") {
			t.Errorf("name %q: expected an error %s of %s, got %v", one.name, one.code, one.field, answer)
		}
	}
}

func TestUnauthorized(t *testing.T) {
	h := start(t, nil)
	for _, authorization := range []string{"", "Bearer wrong"} {
		status, answer := h.callWith(authorization, http.MethodGet, h.url+"/v3/clusters", "")
		if status != http.StatusUnauthorized || answer["code"] != "Unauthorized" || answer["message"] != "must authenticate" {
			t.Errorf("authorization %q: expected 401 Unauthorized, got %d %v", authorization, status, answer)
		}
	}
	if status, answer := h.callWith("", http.MethodGet, h.url+"/v3/settings/cacerts", ""); status != http.StatusOK || answer["value"] != h.ca {
		t.Errorf("cacerts without authentication: expected the CA, got %d %v", status, answer)
	}
	if status, answer := h.callWith("", http.MethodGet, h.url+"/ping", ""); status != http.StatusOK || answer["text"] != "pong" {
		t.Errorf("ping: expected pong, got %d %v", status, answer)
	}
}

func TestPages(t *testing.T) {
	h := start(t, func(o *options) { o.pageSize = 3 })
	for i := range 8 {
		h.call(http.MethodPost, "/v3/clusters", fmt.Sprintf(`{"name":"edge-%d"}`, i))
	}
	seen := map[any]bool{}
	pages := 0
	for next := h.url + "/v3/clusters"; next != ""; pages++ {
		_, list := h.callWith("Bearer "+h.apiToken, http.MethodGet, next, "")
		for _, item := range list["data"].([]any) {
			seen[item.(map[string]any)["name"]] = true
		}
		next, _ = list["pagination"].(map[string]any)["next"].(string)
	}
	if pages != 3 || len(seen) != 8 {
		t.Errorf("expected 8 clusters on 3 pages, got %d on %d", len(seen), pages)
	}
	_, one := h.call(http.MethodGet, "/v3/clusters?name=edge-5", "")
	if data := one["data"].([]any); len(data) != 1 || data[0].(map[string]any)["name"] != "edge-5" {
		t.Errorf("filter name=edge-5: expected that cluster, got %v", data)
	}
}

func TestFaults(t *testing.T) {
	h := start(t, nil)
	h.controlCall(http.MethodPost, "/faults",
		`{"create":{"status":500,"times":2,"body":"<html>","contentType":"text/html","headers":{"Retry-After":"1"}}}`)
	for _, want := range []int{500, 500, http.StatusCreated} {
		if status, answer := h.call(http.MethodPost, "/v3/clusters", `{"name":"edge"}`); status != want {
			t.Errorf("create with a fault planned twice: expected %d, got %d %v", want, status, answer)
		}
	}
}

func TestConnectRules(t *testing.T) {
	h := start(t, func(o *options) { o.cacheLag, o.conflicts = 1, 1 })
	id, token := h.create("edge")
	good := encodeParams("10.43.0.1:443", "secret", "PEM")
	both := apiHeaders(token, good)
	both.Set("Authorization", "Bearer "+stvPrefix+token)
	for i, one := range []struct {
		what    string
		headers http.Header
		status  int
		text    string
	}{
		{"no headers", http.Header{}, 401, "failed authentication"},
		{"unknown token", apiHeaders("nonsense", good), 400, "cluster not found"},
		{"first connect, cache behind", apiHeaders(token, good), 400, "cluster not found"},
		{"params no base64", apiHeaders(token, "%%%"), 400, "illegal base64"},
		{"params without cluster", apiHeaders(token, "e30="), 400, "missing node or cluster registration info"},
		{"empty address", apiHeaders(token, encodeParams("", "s", "PEM")), 400, "invalid input, address empty"},
		{"empty token", apiHeaders(token, encodeParams("a:1", "", "PEM")), 400, "invalid input, token empty"},
		{"empty caCert", apiHeaders(token, encodeParams("a:1", "s", "")), 400, "invalid input, caCert empty"},
		{"conflict", apiHeaders(token, good), 400, "the object has been modified"},
		{"accepted", apiHeaders(token, good), 101, ""},
		{"both headers", both, 101, ""},
		{"wrong stv token", stvHeaders("nonsense"), 401, "failed authentication"},
		{"first stv connect, cache behind", stvHeaders(token), 401, "failed authentication"},
		{"stv accepted", stvHeaders(token), 101, ""},
	} {
		status, text, _ := h.handshake("/v3/connect", one.headers)
		if status != one.status || !strings.Contains(text, one.text) {
			t.Errorf("%d %s: expected %d %q, got %d %q", i, one.what, one.status, one.text, status, text)
		}
	}
	c := h.cluster(id)
	h.eventually("the session keys of both tunnels", func() bool {
		return h.tunnel.HasSession(id) && h.tunnel.HasSession(stvPrefix+id)
	})
	if n := len(c.openSessions(apiSession)); n != 2 {
		t.Errorf("both headers: expected the registration token to win and make a second API session, got %d", n)
	}
	view := c.view()
	if len(view.Connects) != 11 || len(h.stray) != 3 {
		t.Errorf("expected 11 recorded connects and 3 strays, got %d and %d", len(view.Connects), len(h.stray))
	}
	if len(view.ParamsChanged) != 0 {
		t.Errorf("expected no change of the parameters, got %v", view.ParamsChanged)
	}
	h.handshake("/v3/connect", apiHeaders(token, encodeParams("10.43.0.1:443", "another", "PEM")))
	if view = c.view(); len(view.ParamsChanged) != 1 || view.ParamsChanged[0].Field != "token" {
		t.Errorf("expected a recorded change of the token, got %v", view.ParamsChanged)
	}
}

func TestTokenRotation(t *testing.T) {
	h := start(t, func(o *options) { o.cacheLag = 0 })
	id, token := h.create("edge")
	params := encodeParams("a:1", "s", "PEM")
	h.controlCall(http.MethodPost, "/clusters/"+id+"/rotate-token?grace=true", "")
	if status, text, _ := h.handshake("/v3/connect", apiHeaders(token, params)); status != 101 {
		t.Errorf("old token in its grace period: expected 101, got %d %q", status, text)
	}
	h.controlCall(http.MethodPost, "/clusters/"+id+"/rotate-token", "")
	if status, text, _ := h.handshake("/v3/connect", apiHeaders(token, params)); status != 400 || text != "cluster not found" {
		t.Errorf("old token after its grace period: expected 400 cluster not found, got %d %q", status, text)
	}
}

func TestFrameCounters(t *testing.T) {
	h := start(t, func(o *options) { o.cacheLag = 0 })
	id, token := h.create("edge")
	_, _, conn := h.handshake("/v3/connect", stvHeaders(token))
	for range 3 {
		if err := conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	c := h.cluster(id)
	h.eventually("three pings", func() bool { return c.view().Pings[stvSession] == 3 })
	first := c.view().Sessions[0]
	if first.MinPingGapMs < 15 || first.TextFrames != 0 || first.Unmasked != 0 {
		t.Errorf("expected ping gaps of 20 ms and masked frames only, got %+v", first.framesView)
	}

	if err := conn.WriteMessage(websocket.TextMessage, []byte("report")); err != nil {
		t.Fatal(err)
	}
	h.eventually("the end of a session with a text frame", func() bool {
		view := c.view()
		return view.TextFrames == 1 && view.Sessions[0].Closed != nil
	})

	_, _, conn = h.handshake("/v3/connect", stvHeaders(token))
	closing := websocket.FormatCloseMessage(websocket.CloseGoingAway, "bye")
	if err := conn.WriteControl(websocket.CloseMessage, closing, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	h.eventually("a close frame", func() bool {
		last := c.view().Sessions[1]
		return last.CloseFrames == 1 && last.CloseCode == websocket.CloseGoingAway
	})
}

func TestFrameParserInPieces(t *testing.T) {
	// A masked binary frame with a two-byte length, and a ping, fed byte by byte.
	payload := make([]byte, 300)
	copy(payload, []byte{2, 4, 2, 0x10, 'x'}) // id 1, connID 2, type 1 Data, deadline 8
	mask := [4]byte{1, 2, 3, 4}
	stream := []byte{0x82, 0x80 | 126, 300 >> 8, 300 & 0xff, 1, 2, 3, 4}
	for i, b := range payload {
		stream = append(stream, b^mask[i%4])
	}
	stream = append(stream, 0x89, 0x80, 0, 0, 0, 0)
	log := newFrameLog()
	for _, b := range stream {
		log.fromAgent([]byte{b})
	}
	if log.binaryFrames != 1 || log.pings != 1 || log.received["Data"] != 1 || log.undecodable != 0 {
		t.Errorf("expected one Data message and one ping, got %+v", log.view())
	}
}

func TestDialThroughTheRealClient(t *testing.T) {
	h := start(t, func(o *options) { o.cacheLag = 0 })
	id, token := h.create("edge")
	h.agent(token, http.NotFoundHandler(), pong())
	c := h.cluster(id)
	h.eventually("an answered ping", func() bool { return c.view().StvPings.OK > 0 })

	refused := h.controlCall(http.MethodPost, "/clusters/"+id+"/dial", `{"session":"stv","address":"refused:80"}`)
	if refused["ok"] != false || refused["error"] == "" || refused["sessionAlive"] != true {
		t.Errorf("a refused dial: expected an error and a living session, got %v", refused)
	}
	accepted := h.controlCall(http.MethodPost, "/clusters/"+id+"/dial", `{"session":"stv","address":"anything:80"}`)
	if accepted["ok"] != true || accepted["sessionAlive"] != true {
		t.Errorf("an accepted dial: expected ok and a living session, got %v", accepted)
	}

	dropped := h.controlCall(http.MethodPost, "/clusters/"+id+"/drop?session=stv", "")
	if dropped["dropped"] != 1.0 {
		t.Errorf("drop: expected one session, got %v", dropped)
	}
	h.eventually("the client to come back", func() bool {
		return len(c.openSessions(stvSession)) == 1 && len(c.view().Sessions) >= 3
	})
}
