// Command reference holds the tunnels of many clusters with the real remotedialer client, as a program written on that
// library would: what the agent is compared with by `cargo bench --bench fleet`.
//
// It imports its clusters through /v3, opens both tunnels of each, and answers every request with bodies prepared once for
// all clusters, which is less than any real program could do. Written objects are echoed and forgotten.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/rancher/remotedialer"
	"github.com/sirupsen/logrus"
)

const (
	address = "10.43.0.1:443"
	// redialAfter is what remotedialer's own ClientConnect waits.
	redialAfter = 5 * time.Second
)

type rancher struct {
	url    string
	bearer string
	client *http.Client
	dialer *websocket.Dialer
}

func main() {
	url := flag.String("url", "", "Rancher's `URL`; its API token is read from $BEARER")
	caFile := flag.String("ca", "", "`FILE` with the certificate that Rancher's is signed by")
	objects := flag.String("objects", "", "`FILE` with the objects of a cluster, a JSON list as `render --output json` prints it")
	clusters := flag.Int("clusters", 0, "how many clusters")
	inFlight := flag.Int("in-flight", 16, "how many are imported at once")
	behind := flag.String("behind", "", "`ADDRESS` of a kube-apiserver that answers instead; its token is read from $BEHIND_TOKEN")
	behindCA := flag.String("behind-ca", "", "`FILE` with the certificate of that one")
	report := flag.Duration("report", 30*time.Second, "how often each cluster's nodes report; 0 is never")
	flag.Parse()
	logrus.SetLevel(logrus.PanicLevel)

	ca, err := os.ReadFile(*caFile)
	check(err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	trust := &tls.Config{RootCAs: roots}
	r := &rancher{
		url:    *url,
		bearer: os.Getenv("BEARER"),
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: trust, MaxIdleConnsPerHost: *inFlight}},
		dialer: &websocket.Dialer{TLSClientConfig: trust, HandshakeTimeout: time.Minute},
	}
	list := []byte("[]")
	if *objects != "" {
		list, err = os.ReadFile(*objects)
		check(err)
	}
	kube, err := newKube(list, *report)
	check(err)
	server, err := newServer(kube)
	check(err)
	if *behind != "" {
		server.behind, server.token = *behind, os.Getenv("BEHIND_TOKEN")
		server.caPEM, err = os.ReadFile(*behindCA)
		check(err)
	}

	// The first byte is the word to begin.
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return
	}
	names := make(chan string)
	var done sync.WaitGroup
	for range *inFlight {
		done.Add(1)
		go func() {
			defer done.Done()
			for name := range names {
				check(r.importCluster(name, server))
			}
		}()
	}
	for i := range *clusters {
		names <- fmt.Sprintf("reference-%05d", i+1)
	}
	close(names)
	done.Wait()
	// Ends with its parent: the other end of the pipe closes then.
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// importCluster creates a cluster, waits for its registration token and opens both tunnels for good.
func (r *rancher) importCluster(name string, server *server) error {
	var created struct{ ID string }
	if err := r.call("POST", "/v3/clusters", map[string]string{"type": "cluster", "name": name}, &created); err != nil {
		return err
	}
	token := ""
	for token == "" {
		var tokens struct{ Data []struct{ Token string } }
		if err := r.call("GET", "/v3/clusters/"+created.ID+"/clusterregistrationtokens", nil, &tokens); err != nil {
			return err
		}
		if len(tokens.Data) > 0 {
			token = tokens.Data[0].Token
		} else {
			time.Sleep(50 * time.Millisecond)
		}
	}
	params, err := json.Marshal(map[string]any{"cluster": map[string]string{
		"address": server.address(),
		"token":   server.token,
		"caCert":  base64.StdEncoding.EncodeToString(server.caPEM),
	}})
	if err != nil {
		return err
	}
	api := http.Header{
		"X-API-Tunnel-Token":  {token},
		"X-API-Tunnel-Params": {base64.StdEncoding.EncodeToString(params)},
	}
	steve := http.Header{"Authorization": {"Bearer stv-cluster-" + token}}
	go r.hold("/v3/connect/register", api, server.dialAPI)
	go r.hold("/v3/connect", steve, server.dialSteve)
	return nil
}

// hold keeps one tunnel open.
func (r *rancher) hold(path string, headers http.Header, dial remotedialer.Dialer) {
	url := strings.Replace(r.url, "https", "wss", 1) + path
	for {
		_ = remotedialer.ConnectToProxyWithDialer(context.Background(), url, headers,
			func(string, string) bool { return true }, r.dialer, dial, nil)
		time.Sleep(redialAfter)
	}
}

func (r *rancher) call(method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, r.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+r.bearer)
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return json.Unmarshal(text, out)
}

// server serves the Kubernetes API over TLS and steve's ping without, both on connections that never leave the process.
type server struct {
	caPEM      []byte
	token      string
	api, steve *pipeListener
	// behind is where a kube-apiserver of its own answers, if it does.
	behind string
}

func (s *server) address() string {
	if s.behind != "" {
		return s.behind
	}
	return address
}

func (s *server) dialAPI(ctx context.Context, _, _ string) (net.Conn, error) {
	if s.behind != "" {
		return (&net.Dialer{}).DialContext(ctx, "tcp", s.behind)
	}
	return s.api.dial()
}

func (s *server) dialSteve(context.Context, string, string) (net.Conn, error) { return s.steve.dial() }

// pipeListener accepts the other ends of pipes.
type pipeListener struct{ conns chan net.Conn }

func newPipeListener() *pipeListener { return &pipeListener{conns: make(chan net.Conn)} }

func (l *pipeListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	l.conns <- far
	return near, nil
}

func (l *pipeListener) Accept() (net.Conn, error) { return <-l.conns, nil }

func (l *pipeListener) Close() error { return nil }

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: address, Net: "pipe"} }
