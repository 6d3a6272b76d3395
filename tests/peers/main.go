// Command peer plays a Rancher server for the tests of the agent: Rancher's REST API and conditions in miniature, built on
// the real github.com/rancher/remotedialer and the real k8s.io/client-go, so that what passes here speaks their protocols.
//
// It prints one JSON line on stdout when ready, logs on stderr, and ends on SIGINT, SIGTERM or the end of stdin.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"k8s.io/client-go/features"
	"k8s.io/klog/v2"
)

// watchListVariable is client-go's switch; it is read when the first gate is asked, once for the process.
const watchListVariable = "KUBE_FEATURE_WatchListClient"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
}

func run() error {
	o := defaultOptions()
	flag.StringVar(&o.listen, "listen", o.listen, "address of the played Rancher server")
	flag.StringVar(&o.control, "control", o.control, "address of the control interface (plain HTTP)")
	flag.BoolVar(&o.watchList, "watch-list", o.watchList, "informers begin with a watch-list, as client-go 0.35 and newer do")
	flag.BoolVar(&o.noTLS, "no-tls", o.noTLS, "serve plain HTTP")
	flag.IntVar(&o.pageSize, "page-size", o.pageSize, "default page size of collections")
	flag.IntVar(&o.cacheLag, "cache-lag", o.cacheLag, "connects of each tunnel of a cluster that find no cluster yet")
	flag.IntVar(&o.conflicts, "conflicts", o.conflicts, "connects of each cluster refused because of a conflict")
	flag.DurationVar(&o.tokenDelay, "token-delay", o.tokenDelay, "time until a registration token exists, and again until it is filled")
	flag.DurationVar(&o.probeInterval, "probe-interval", o.probeInterval, "time between health checks (Rancher: 15s)")
	flag.DurationVar(&o.dialWait, "dial-wait", o.dialWait, "how long a removal waits for a tunnel, each of three times")
	flag.IntVar(&o.kubectlFirst, "kubectl", o.kubectlFirst, "clusters deployed with the kubectl binary, the others by client; -1: all")
	flag.StringVar(&o.steps, "steps", o.steps, "checks after the watches: all, none, or a list of impersonation,reviews,writes,crd")
	flag.StringVar(&o.agentImage, "agent-image", o.agentImage, "image in the import manifest")
	flag.StringVar(&o.serverVersion, "server-version", o.serverVersion, "version of the played server")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if err := setWatchList(o.watchList); err != nil {
		return err
	}
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	logrus.SetOutput(os.Stderr)
	logrus.SetLevel(logrus.WarnLevel)

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	s := newServer(ctx, o)
	klog.SetLogger(processLogger(s))
	return s.serve(ctx)
}

func setWatchList(enabled bool) error {
	if err := os.Setenv(watchListVariable, fmt.Sprint(enabled)); err != nil {
		return err
	}
	if got := features.FeatureGates().Enabled(features.WatchListClient); got != enabled {
		return fmt.Errorf("client-go feature WatchListClient: expected %t, it is %t", enabled, got)
	}
	return nil
}

// serve listens, prints the ready line and serves until the context ends.
func (s *server) serve(ctx context.Context) error {
	listener, err := s.bind()
	if err != nil {
		return err
	}
	control, err := net.Listen("tcp", s.control)
	if err != nil {
		return err
	}
	go s.checkConnectivity(ctx)
	main := &http.Server{Handler: s.handler(), ConnContext: withNetConn, ErrorLog: log.Default(), ReadHeaderTimeout: 30 * time.Second}
	side := &http.Server{Handler: s.controlHandler(), ErrorLog: log.Default(), ReadHeaderTimeout: 30 * time.Second}
	failed := make(chan error, 2)
	go func() { failed <- main.Serve(listener) }()
	go func() { failed <- side.Serve(control) }()

	ready, err := json.Marshal(map[string]string{
		"url": s.url, "control": "http://" + control.Addr().String(), "token": s.apiToken, "ca": s.ca,
	})
	if err != nil {
		return err
	}
	fmt.Println(string(ready))

	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	_ = main.Close()
	_ = side.Close()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// bind opens the server's port, with TLS unless it is switched off.
func (s *server) bind() (net.Listener, error) {
	raw, err := net.Listen("tcp", s.listen)
	if err != nil {
		return nil, err
	}
	s.url = "http://" + raw.Addr().String()
	if s.noTLS {
		return &watchedListener{Listener: raw}, nil
	}
	identity, ca, err := newServerIdentity(hostAddress(s.listen))
	if err != nil {
		return nil, err
	}
	s.url = "https://" + raw.Addr().String()
	s.ca = ca
	// A client that offers HTTP/2 gets HTTP/1.1: tunnels are WebSockets.
	config := &tls.Config{Certificates: []tls.Certificate{identity}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	return &watchedListener{Listener: raw, tls: config}, nil
}

func envOr(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}
