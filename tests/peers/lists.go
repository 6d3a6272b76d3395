// How fast lists come through a tunnel, for the benchmark that holds the agent against a kube-apiserver.

package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// controlLists reads one list over and over on one connection, as Go's HTTP client does it for any controller, and tells how
// many there were, how long all took and how many bytes they had once unpacked.
func (s *server) controlLists(w http.ResponseWriter, r *http.Request, c *cluster) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("seconds"))
	if err != nil || seconds < 1 || seconds > 60 {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "seconds: expected 1 to 60"})
		return
	}
	transport, params, err := s.apiTransport(c)
	if err != nil {
		writeJSON(w, http.StatusConflict, map[string]string{"error": err.Error()})
		return
	}
	defer transport.CloseIdleConnections()
	transport.DisableCompression = r.URL.Query().Get("compress") == "false"
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	read := func() (int64, error) {
		request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://"+params.Address+r.URL.Query().Get("path"), nil)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", "Bearer "+params.Token)
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer func() { _ = response.Body.Close() }()
		n, err := io.Copy(io.Discard, response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		return n, err
	}
	// The first one opens the connection, and fills whatever cache there is.
	if _, err := read(); err != nil {
		writeJSON(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
		return
	}
	lists, bytes, began := 0, int64(0), time.Now()
	for time.Since(began) < time.Duration(seconds)*time.Second {
		n, err := read()
		if err != nil {
			writeJSON(w, http.StatusBadGateway, map[string]string{"error": err.Error()})
			return
		}
		lists++
		bytes += n
	}
	writeJSON(w, http.StatusOK, map[string]any{"lists": lists, "bytes": bytes, "seconds": time.Since(began).Seconds()})
}
