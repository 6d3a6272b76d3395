// What client-go logs: errors and warnings become failures of the cluster they belong to, or of the process.

package main

import (
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

// logSink receives client-go's log of one informer, or of the process when it has no cluster.
type logSink struct {
	server  *server
	cluster *cluster
	kind    *kind
}

func clusterLogger(s *server, c *cluster, k *kind) logr.Logger {
	return logr.New(logSink{s, c, k})
}

func processLogger(s *server) logr.Logger {
	return logr.New(logSink{server: s})
}

func (l logSink) Init(logr.RuntimeInfo)          {}
func (l logSink) WithValues(...any) logr.LogSink { return l }
func (l logSink) WithName(string) logr.LogSink   { return l }

// Enabled keeps the messages that explain a new list: a refused watch-list is told at level 4.
func (l logSink) Enabled(level int) bool { return level == 0 || (level == 4 && l.kind != nil) }

func (l logSink) Info(level int, message string, values ...any) {
	refused := strings.HasPrefix(message, "Data couldn't be fetched in watchlist mode")
	if level > 0 && !refused {
		return
	}
	text := message + pairs(values)
	switch {
	case l.kind == nil:
		log.Printf("client-go: %s", text)
	case refused:
		l.kind.trouble(l.cluster, text)
	case strings.HasPrefix(message, "Warning"):
		// A watch that ends at once is a fault of the server, unless the tunnel below it just went.
		if strings.Contains(text, "very short watch") && l.cluster.disrupted() {
			l.kind.explain()
		}
		l.kind.trouble(l.cluster, text)
	}
}

func (l logSink) Error(err error, message string, values ...any) {
	text := message + pairs(values)
	if err != nil {
		text += ": " + err.Error()
	}
	if l.cluster != nil {
		l.cluster.fail("client-go", "logged an error, expected none: %s", text)
		return
	}
	log.Printf("client-go error: %s", text)
	l.server.mu.Lock()
	defer l.server.mu.Unlock()
	if len(l.server.klog) < maxRecords {
		l.server.klog = append(l.server.klog, failure{Time: time.Now().UTC(), Step: "client-go", Message: text})
	}
}

func pairs(values []any) string {
	var b strings.Builder
	for i := 0; i+1 < len(values); i += 2 {
		fmt.Fprintf(&b, " %v=%q", values[i], fmt.Sprint(values[i+1]))
	}
	return b.String()
}
