// A slow reader and a fast writer on one tunnel: Pause must stop the stream and only that stream, Resume must continue it,
// and not a byte may be lost (rancher-protocol §3, remotedialer back_pressure.go).

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// chunkSize is what one ConfigMap carries; etcd, and so Kubernetes, takes no object above about 1.5 MiB.
	chunkSize        = 900 << 10
	backpressureName = "peer-backpressure"
)

// backpressureResult is the answer of POST /clusters/<id>/backpressure.
type backpressureResult struct {
	UploadBytes     int     `json:"uploadBytes"`
	UploadMs        float64 `json:"uploadMs"`
	ListBytes       int     `json:"listBytes"`
	ListMs          float64 `json:"listMs"`
	Intact          bool    `json:"intact"`
	PausesSent      int     `json:"pausesSent"`
	ResumesSent     int     `json:"resumesSent"`
	BytesPaused     int64   `json:"bytesWhilePaused"`
	BytesLate       int64   `json:"bytesLongAfterPause"`
	VersionPausedMs float64 `json:"versionWhilePausedMs"`
	SessionAlive    bool    `json:"sessionAlive"`
	Error           string  `json:"error,omitempty"`
}

// backpressure uploads at least mib MiB in ConfigMaps and lists them with a reader that first waits and then reads slowly.
func (s *server) backpressure(ctx context.Context, c *cluster, mib int) backpressureResult {
	var result backpressureResult
	before := c.openSessions(apiSession)
	if err := s.runBackpressure(ctx, c, mib, &result); err != nil {
		result.Error = err.Error()
		c.fail("backpressure", "%v", err)
	}
	after := c.openSessions(apiSession)
	result.SessionAlive = len(before) > 0 && len(after) > 0 && before[0] == after[0]
	return result
}

func (s *server) runBackpressure(ctx context.Context, c *cluster, mib int, result *backpressureResult) error {
	c.mu.Lock()
	cl := c.clients
	open := c.openSessionLocked(apiSession)
	c.mu.Unlock()
	if cl == nil || open == nil {
		return errDisconnected
	}
	count := (mib<<20 + chunkSize - 1) / chunkSize
	sums, err := uploadChunks(ctx, cl, count, result)
	defer removeChunks(cl, count)
	if err != nil {
		return err
	}

	pauses, resumes, paused, late := open.frames.pressure()
	body, err := s.readSlowly(ctx, c, cl, result)
	if err != nil {
		return err
	}
	pausesAfter, resumesAfter, pausedAfter, lateAfter := open.frames.pressure()
	result.PausesSent, result.ResumesSent = pausesAfter-pauses, resumesAfter-resumes
	result.BytesPaused, result.BytesLate = pausedAfter-paused, lateAfter-late
	result.ListBytes = len(body)
	if err := compareChunks(body, sums); err != nil {
		return err
	}
	result.Intact = true
	return nil
}

func (l *frameLog) pressure() (pauses, resumes int, whilePaused, late int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sent["Pause"], l.sent["Resume"], l.whilePaused, l.latePaused
}

func chunkName(i int) string { return fmt.Sprintf("%s-%d", backpressureName, i) }

func uploadChunks(ctx context.Context, cl *clients, count int, result *backpressureResult) (map[string]string, error) {
	sums := map[string]string{}
	begin := time.Now()
	for i := range count {
		text := randomText(chunkSize, "abcdefghijklmnopqrstuvwxyz0123456789")
		chunk := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: chunkName(i), Labels: map[string]string{"peer": "backpressure"}},
			Data:       map[string]string{"text": text},
		}
		if _, err := cl.lasso.CoreV1().ConfigMaps("default").Create(ctx, chunk, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("POST configmap %s of %d bytes: expected 201, got: %w", chunk.Name, chunkSize, err)
		}
		sums[chunk.Name] = sumOf(text)
		result.UploadBytes += len(text)
	}
	result.UploadMs = ms(time.Since(begin))
	return sums, nil
}

func removeChunks(cl *clients, count int) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range count {
		_ = cl.lasso.CoreV1().ConfigMaps("default").Delete(ctx, chunkName(i), metav1.DeleteOptions{})
	}
}

// readSlowly lists on a connection of its own: nothing is read for a while, so that Pause is sent, and GET /version must
// be answered meanwhile; then reading goes on at a few MiB a second.
func (s *server) readSlowly(ctx context.Context, c *cluster, cl *clients, result *backpressureResult) ([]byte, error) {
	transport, params, err := s.apiTransport(c)
	if err != nil {
		return nil, err
	}
	transport.DisableKeepAlives = true
	transport.ReadBufferSize = 4 << 10
	address := "https://" + params.Address + "/api/v1/namespaces/default/configmaps?labelSelector=peer%3Dbackpressure"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+params.Token)
	request.Header.Set("Accept", contentJSON)
	begin := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("LIST configmaps: expected 200, got: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("LIST configmaps: expected 200, got %d", response.StatusCode)
	}

	if err := sleep(ctx, pauseGrace+500*time.Millisecond); err != nil {
		return nil, err
	}
	asked := time.Now()
	if _, err := versionOf(ctx, cl); err != nil {
		return nil, fmt.Errorf("while another stream of the tunnel is paused: %w", err)
	}
	result.VersionPausedMs = ms(time.Since(asked))

	var body []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := response.Body.Read(buffer)
		body = append(body, buffer[:n]...)
		if err == io.EOF {
			result.ListMs = ms(time.Since(begin))
			return body, nil
		}
		if err != nil {
			return nil, fmt.Errorf("LIST configmaps: expected the whole body, got %d bytes and then: %w", len(body), err)
		}
		if err := sleep(ctx, time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func compareChunks(body []byte, sums map[string]string) error {
	var list corev1.ConfigMapList
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("LIST configmaps: expected JSON, got %d bytes that end in an error: %w", len(body), err)
	}
	if len(list.Items) != len(sums) {
		return fmt.Errorf("LIST configmaps: expected %d, got %d", len(sums), len(list.Items))
	}
	for _, item := range list.Items {
		if got := sumOf(item.Data["text"]); got != sums[item.Name] {
			return fmt.Errorf("configmap %s: expected SHA-256 %s of what was uploaded, got %s of %d bytes",
				item.Name, sums[item.Name], got, len(item.Data["text"]))
		}
	}
	return nil
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
