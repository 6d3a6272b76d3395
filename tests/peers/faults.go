// Faults on purpose: what the REST routes and the tunnel route answer instead of working, a given number of times.

package main

import (
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// fault is one planned misbehaviour. Without status the request is only delayed.
type fault struct {
	Status      int               `json:"status"`
	Times       int               `json:"times"`
	Body        string            `json:"body"`
	ContentType string            `json:"contentType"`
	Headers     map[string]string `json:"headers"`
	Hang        int               `json:"hang"`
	// Close drops the connection without an answer.
	Close bool `json:"close"`
}

// faults are the planned misbehaviours by operation: create, list, get, update, delete, token, connect, ping, cacerts,
// import and, for all of them, any.
type faults struct {
	mu       sync.Mutex
	planned  map[string]*fault
	hits     map[string]int
	redirect string
	hang     time.Duration
}

func newFaults() *faults {
	return &faults{planned: map[string]*fault{}, hits: map[string]int{}}
}

// set reads the body of POST /faults. An operation set to null is cleared; times 0 means for ever.
func (f *faults) set(body []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, value := range raw {
		switch name {
		case "redirect":
			f.redirect = ""
			if err := json.Unmarshal(value, &f.redirect); err != nil {
				return err
			}
		case "hang":
			var millis int
			if err := json.Unmarshal(value, &millis); err != nil {
				return err
			}
			f.hang = time.Duration(millis) * time.Millisecond
		default:
			var one *fault
			if err := json.Unmarshal(value, &one); err != nil {
				return err
			}
			if one == nil {
				delete(f.planned, name)
				continue
			}
			if one.Times == 0 {
				one.Times = -1
			}
			f.planned[name] = one
		}
	}
	return nil
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.planned, f.redirect, f.hang = map[string]*fault{}, "", 0
}

func (f *faults) view() map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	view := map[string]any{"redirect": f.redirect, "hang": f.hang.Milliseconds(), "hits": f.hits}
	for name, one := range f.planned {
		view[name] = *one
	}
	// Encoded under the lock: the maps change with every request.
	encoded, _ := json.Marshal(view)
	return map[string]any{"faults": json.RawMessage(encoded)}
}

// take returns what to do with one request of an operation, and counts it.
func (f *faults) take(operation string) (found *fault, redirect string, hang time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range []string{operation, "any"} {
		planned := f.planned[name]
		if planned == nil || planned.Times == 0 {
			continue
		}
		if planned.Times > 0 {
			planned.Times--
		}
		f.hits[name]++
		copied := *planned
		return &copied, f.redirect, f.hang
	}
	return nil, f.redirect, f.hang
}

// apply plays the fault of an operation and says whether the request was answered by it.
func (f *faults) apply(operation string, w http.ResponseWriter, r *http.Request) bool {
	planned, redirect, hang := f.take(operation)
	if planned != nil {
		hang += time.Duration(planned.Hang) * time.Millisecond
	}
	if hang > 0 {
		select {
		case <-time.After(hang):
		case <-r.Context().Done():
			return true
		}
	}
	if planned != nil && planned.Close {
		panic(http.ErrAbortHandler)
	}
	if planned != nil && planned.Status != 0 {
		for name, value := range planned.Headers {
			w.Header().Set(name, value)
		}
		contentType := planned.ContentType
		if contentType == "" {
			contentType = "application/json"
		}
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(planned.Status)
		_, _ = io.WriteString(w, planned.Body)
		return true
	}
	if redirect != "" {
		http.Redirect(w, r, redirect+r.URL.RequestURI(), http.StatusFound)
		return true
	}
	return false
}

func (s *server) faulty(operation string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.faults.apply(operation, w, r) {
			next(w, r)
		}
	}
}
