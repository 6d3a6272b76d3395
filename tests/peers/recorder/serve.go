package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// serve starts a control plane that holds so many pods, says where it is in a line of JSON, and ends with its standard input: what the
// benchmark `kube_api` holds the agent against.
func serve(count string) error {
	pods, err := strconv.Atoi(count)
	if err != nil {
		return err
	}
	control, err := startControlPlane()
	if err != nil {
		return err
	}
	defer control.stop()
	if err := control.create("/api/v1/namespaces", `{"metadata":{"name":"demo"}}`); err != nil {
		return err
	}
	for i := range pods {
		pod := fmt.Sprintf(`{"metadata":{"name":"web-%d","labels":{"app":"web"}},"spec":{"nodeName":"n-%d","containers":[{"name":"main",`+
			`"image":"docker.io/library/nginx:1.27","resources":{"requests":{"cpu":"100m","memory":"64Mi"}}}]}}`, i+1, i%10)
		if err := control.create("/api/v1/namespaces/demo/pods", pod); err != nil {
			return err
		}
	}
	ready := map[string]string{
		"address": strings.TrimPrefix(control.base, "https://"), "token": adminToken,
		"ca": filepath.Join(control.dir, "certs", "apiserver.crt"),
	}
	if err := json.NewEncoder(os.Stdout).Encode(ready); err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// create posts an object; a namespace that has just come has no service account yet, without which it takes no pods.
func (c *controlPlane) create(path, body string) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		request, err := http.NewRequest(http.MethodPost, c.base+path, strings.NewReader(body))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+adminToken)
		request.Header.Set("Content-Type", "application/json")
		response, err := c.client.Do(request)
		if err != nil {
			return err
		}
		said, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode < 300 {
			return nil
		}
		if response.StatusCode != http.StatusForbidden || time.Now().After(deadline) {
			return fmt.Errorf("POST %s: %s: %s", path, response.Status, said)
		}
		time.Sleep(100 * time.Millisecond)
	}
}
