package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/embed"
)

// controlPlane is etcd, a kube-apiserver, and those controllers that belong to any cluster however empty.
type controlPlane struct {
	dir       string
	base      string
	client    *http.Client
	etcd      *embed.Etcd
	processes []*exec.Cmd
}

const adminToken = "recorder-admin-token"

// What runs beside the apiserver: the controllers that a virtual cluster has too. There are no kubelets and no scheduler, so that pods
// stay pending.
const controllerNames = "namespace-controller,serviceaccount-controller,serviceaccount-token-controller," +
	"root-ca-certificate-publisher-controller,garbage-collector-controller,clusterrole-aggregation-controller,resourcequota-controller," +
	"deployment-controller,replicaset-controller,replicationcontroller-controller,statefulset-controller,daemonset-controller," +
	"job-controller,cronjob-controller,disruption-controller,endpoints-controller,endpointslice-controller," +
	"persistentvolume-binder-controller,persistentvolumeclaim-protection-controller,persistentvolume-protection-controller," +
	"node-lifecycle-controller,taint-eviction-controller"

func startControlPlane() (*controlPlane, error) {
	dir, err := os.MkdirTemp("", "recorder-")
	if err != nil {
		return nil, err
	}
	control := &controlPlane{dir: dir, client: &http.Client{
		Timeout: 60 * time.Second,
		Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // it signs its own certificate on this very machine
			TLSNextProto:       map[string]func(string, *tls.Conn) http.RoundTripper{},
			DisableCompression: true,
		},
	}}
	if err := control.start(); err != nil {
		control.stop()
		return nil, err
	}
	return control, nil
}

func (c *controlPlane) start() error {
	etcdURL, err := c.startEtcd()
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.base = fmt.Sprintf("https://127.0.0.1:%d", port)
	key := filepath.Join(c.dir, "account.key")
	if err := writeKey(key); err != nil {
		return err
	}
	tokens := filepath.Join(c.dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(adminToken+",kubernetes-admin,,system:masters\n"), 0o600); err != nil {
		return err
	}
	certs := filepath.Join(c.dir, "certs")
	if err := c.run("kube-apiserver",
		"--etcd-servers="+etcdURL, "--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", port), "--cert-dir="+certs,
		"--token-auth-file="+tokens, "--authorization-mode=RBAC", "--service-cluster-ip-range=10.43.0.0/16",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local", "--service-account-key-file="+key,
		"--service-account-signing-key-file="+key, "--allow-privileged=true",
		// A bare server has no kubelets whose pods it could reach.
		"--endpoint-reconciler-type=none",
		// What clients of later versions count on.
		"--feature-gates=WatchList=true", "--v=0"); err != nil {
		return err
	}
	if err := c.awaitReady(); err != nil {
		return err
	}
	config := filepath.Join(c.dir, "kubeconfig")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(kubeconfig, c.base, adminToken)), 0o600); err != nil {
		return err
	}
	return c.run("kube-controller-manager", "--kubeconfig="+config, "--controllers="+controllerNames, "--leader-elect=false",
		"--service-account-private-key-file="+key, "--root-ca-file="+filepath.Join(certs, "apiserver.crt"), "--secure-port=0", "--v=0")
}

func (c *controlPlane) startEtcd() (string, error) {
	config := embed.NewConfig()
	config.Dir = filepath.Join(c.dir, "etcd")
	config.LogLevel = "error"
	urls := make([]url.URL, 2)
	for i := range urls {
		port, err := freePort()
		if err != nil {
			return "", err
		}
		urls[i] = url.URL{Scheme: "http", Host: fmt.Sprintf("127.0.0.1:%d", port)}
	}
	config.ListenClientUrls, config.AdvertiseClientUrls = urls[:1], urls[:1]
	config.ListenPeerUrls, config.AdvertisePeerUrls = urls[1:], urls[1:]
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return "", err
	}
	c.etcd = etcd
	select {
	case <-etcd.Server.ReadyNotify():
		return urls[0].String(), nil
	case <-time.After(30 * time.Second):
		return "", fmt.Errorf("etcd was not ready within 30 s")
	}
}

// settle waits until nobody has written anything for a while: until the controllers have done what follows from the last request.
func (c *controlPlane) settle() error {
	revision, since := int64(0), time.Now()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if now := c.etcd.Server.KV().Rev(); now != revision {
			revision, since = now, time.Now()
		}
		if time.Since(since) > quiet {
			return nil
		}
	}
	return fmt.Errorf("the controllers did not come to rest within 30 s")
}

// A controller reads what was written from its own cache, and some gather changes for a while.
const quiet = 400 * time.Millisecond

// forget does what the apiserver has etcd do every five minutes.
func (c *controlPlane) forget() error {
	server := c.etcd.Server
	_, err := server.Compact(context.Background(), &etcdserverpb.CompactionRequest{Revision: server.KV().Rev(), Physical: true})
	return err
}

func (c *controlPlane) run(name string, flags ...string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		return err
	}
	process := exec.Command(self, append([]string{name}, flags...)...)
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return err
	}
	c.processes = append(c.processes, process)
	return nil
}

func (c *controlPlane) awaitReady() error {
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		request, err := http.NewRequest(http.MethodGet, c.base+"/readyz", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+adminToken)
		if response, err := c.client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
	return fmt.Errorf("the apiserver was not ready within 90 s: see %s/kube-apiserver.log", c.dir)
}

func (c *controlPlane) stop() {
	for _, process := range c.processes {
		process.Process.Kill()
		process.Wait()
	}
	if c.etcd != nil {
		c.etcd.Close()
	}
	if os.Getenv("RECORDER_KEEP") == "" {
		os.RemoveAll(c.dir)
	}
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

func writeKey(path string) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return os.WriteFile(path, pem.EncodeToMemory(block), 0o600)
}

const kubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: %q}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
`
