// Helpers of the peer's own tests: a server in this process, requests to it, and an agent made of the real remotedialer client.

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rancher/remotedialer"
	"github.com/sirupsen/logrus"
	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	logrus.SetOutput(io.Discard)
	if err := setWatchList(true); err != nil {
		panic(err)
	}
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	os.Exit(m.Run())
}

type harness struct {
	*server
	t       *testing.T
	client  *http.Client
	roots   *x509.CertPool
	control *httptest.Server
}

func start(t *testing.T, change func(*options)) *harness {
	t.Helper()
	o := defaultOptions()
	o.tokenDelay = 20 * time.Millisecond
	o.probeInterval = 50 * time.Millisecond
	o.dialWait = 200 * time.Millisecond
	if change != nil {
		change(&o)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := newServer(ctx, o)
	listener, err := s.bind()
	if err != nil {
		t.Fatal(err)
	}
	main := &http.Server{Handler: s.handler(), ConnContext: withNetConn}
	go func() { _ = main.Serve(listener) }()
	go s.checkConnectivity(ctx)
	control := httptest.NewServer(s.controlHandler())
	t.Cleanup(func() {
		cancel()
		_ = main.Close()
		control.Close()
	})
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(s.ca)) {
		t.Fatal("the published CA is no PEM certificate")
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return &harness{s, t, client, roots, control}
}

// call does one authenticated request and decodes the answer.
func (h *harness) call(method, path, body string) (int, map[string]any) {
	h.t.Helper()
	return h.callWith("Bearer "+h.apiToken, method, h.url+path, body)
}

func (h *harness) controlCall(method, path, body string) map[string]any {
	h.t.Helper()
	status, answer := h.callWith("", method, h.control.URL+path, body)
	if status != http.StatusOK {
		h.t.Fatalf("%s %s: expected 200, got %d %v", method, path, status, answer)
	}
	return answer
}

func (h *harness) callWith(authorization, method, address, body string) (int, map[string]any) {
	h.t.Helper()
	request, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := h.client.Do(request)
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	answer := map[string]any{"text": string(text)}
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		if err := json.Unmarshal(text, &answer); err != nil {
			h.t.Fatal(err)
		}
	}
	return response.StatusCode, answer
}

// create makes a cluster and waits for its registration token.
func (h *harness) create(name string) (id, token string) {
	h.t.Helper()
	status, made := h.call(http.MethodPost, "/v3/clusters", `{"type":"cluster","name":"`+name+`"}`)
	if status != http.StatusCreated {
		h.t.Fatalf("create %s: expected 201, got %d %v", name, status, made)
	}
	id = made["id"].(string)
	h.eventually("a registration token", func() bool {
		_, list := h.call(http.MethodGet, "/v3/clusterregistrationtokens?clusterId="+id, "")
		for _, item := range list["data"].([]any) {
			token = item.(map[string]any)["token"].(string)
		}
		return token != ""
	})
	return id, token
}

func (h *harness) eventually(what string, done func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			h.t.Fatalf("expected %s within 20s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (h *harness) wsURL(path string) string {
	return "wss" + strings.TrimPrefix(h.url, "https") + path
}

func apiHeaders(token, params string) http.Header {
	return http.Header{headerToken: {token}, headerParams: {params}}
}

func stvHeaders(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + stvPrefix + token}}
}

func encodeParams(address, token, caPEM string) string {
	inner, _ := json.Marshal(map[string]any{"cluster": map[string]string{
		"address": address, "token": token, "caCert": base64.StdEncoding.EncodeToString([]byte(caPEM)),
	}})
	return base64.StdEncoding.EncodeToString(inner)
}

// handshake does one WebSocket upgrade and returns the status and the text of a refusal.
func (h *harness) handshake(path string, headers http.Header) (int, string, *websocket.Conn) {
	h.t.Helper()
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: h.roots}}
	conn, response, err := dialer.Dial(h.wsURL(path), headers)
	if err == nil {
		h.t.Cleanup(func() { _ = conn.Close() })
		return http.StatusSwitchingProtocols, "", conn
	}
	if response == nil {
		h.t.Fatalf("handshake: expected an answer, got: %v", err)
	}
	text, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(text), nil
}

// connect keeps one tunnel open with the real client until the test ends; every stream goes to handler's server.
func (h *harness) connect(path string, headers http.Header, target string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	h.t.Cleanup(func() {
		cancel()
		<-done
	})
	dialer := &websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: h.roots}}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		if strings.HasPrefix(address, "refused") {
			return nil, io.ErrClosedPipe
		}
		return (&net.Dialer{}).DialContext(ctx, network, target)
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = remotedialer.ConnectToProxyWithDialer(ctx, h.wsURL(path), headers,
				func(string, string) bool { return true }, dialer, dial, nil)
			_ = sleep(ctx, 20*time.Millisecond)
		}
	}()
}

// agent opens both tunnels of a cluster to a Kubernetes API and a steve server of this process.
func (h *harness) agent(token string, api, steve http.Handler) {
	h.t.Helper()
	apiServer := httptest.NewTLSServer(api)
	steveServer := httptest.NewServer(steve)
	h.t.Cleanup(apiServer.Close)
	h.t.Cleanup(steveServer.Close)
	caPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: apiServer.Certificate().Raw}))
	// httptest's certificate is valid for 127.0.0.1.
	params := encodeParams("127.0.0.1:6443", "service-account-token", caPEM)
	h.connect("/v3/connect/register", apiHeaders(token, params), apiServer.Listener.Addr().String())
	h.connect("/v3/connect", stvHeaders(token), steveServer.Listener.Addr().String())
}

func pong() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping" {
			_, _ = io.WriteString(w, "pong")
			return
		}
		http.NotFound(w, r)
	})
}
