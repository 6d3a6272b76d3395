package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"sigs.k8s.io/yaml"
)

// answered is a line of a recording: a request and what it was answered.
type answered struct {
	step
	Status  int               `json:"status,omitempty"`
	Answer  map[string]string `json:"answer,omitempty"`
	Content any               `json:"content,omitempty"`
}

// player keeps what one scene has learnt.
type player struct {
	control   *controlPlane
	variables map[string]any
	marks     *marks
	watches   map[string]*openWatch
}

type openWatch struct {
	events chan any
	cancel context.CancelFunc
}

func (c *controlPlane) play(scene scene) ([]answered, error) {
	p := &player{control: c, variables: map[string]any{}, marks: newMarks(), watches: map[string]*openWatch{}}
	defer func() {
		for _, watch := range p.watches {
			watch.cancel()
		}
	}()
	var answers []answered
	for number, step := range scene.steps {
		answer, err := p.step(step)
		if err != nil {
			return nil, fmt.Errorf("step %d, %s%s: %w", number+1, step.Do, step.Events, err)
		}
		answers = append(answers, *answer)
		if step.Settles {
			if err := c.settle(); err != nil {
				return nil, fmt.Errorf("step %d, %s: %w", number+1, step.Do, err)
			}
		}
	}
	return answers, nil
}

func (p *player) step(step step) (*answered, error) {
	if step.Events != "" {
		return p.readEvents(step)
	}
	if step.Managers {
		time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	}
	if step.Forget {
		if err := p.control.forget(); err != nil {
			return nil, err
		}
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		answer, body, err := p.once(&step)
		if err != nil {
			return nil, err
		}
		if step.Until == nil || step.Until.holds(answer.Status, body) {
			return answer, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("not within 30 s: %.1000s", fmt.Sprint(body))
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (u *until) holds(status int, body any) bool {
	if u.Status != 0 && status != u.Status {
		return false
	}
	for pointer, wanted := range u.Has {
		if found, ok := at(body, pointer); !ok || !reflect.DeepEqual(found, wanted) {
			return false
		}
	}
	return true
}

// once sends a request and marks its answer; the body is returned as it came, too.
func (p *player) once(step *step) (*answered, any, error) {
	request, err := p.request(step)
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	request = request.WithContext(ctx)
	response, err := p.control.client.Do(request)
	if err != nil {
		cancel()
		return nil, nil, err
	}
	answer := &answered{step: *step, Status: response.StatusCode, Answer: headers(response.Header)}
	if step.Watch != "" && response.StatusCode == http.StatusOK {
		watch := &openWatch{events: make(chan any, 1000), cancel: cancel}
		p.watches[step.Watch] = watch
		go watch.read(response.Body)
		return answer, nil, nil
	}
	defer cancel()
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, nil, err
	}
	body, err := parse(response.Header.Get("Content-Type"), content)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %.200s", err, content)
	}
	for variable, pointer := range step.Save {
		value, ok := at(body, pointer)
		if !ok {
			return nil, nil, fmt.Errorf("%d: nothing at %s: %.300s", response.StatusCode, pointer, content)
		}
		p.variables[variable] = value
	}
	answer.Content = p.marks.mark(trim(step, body))
	return answer, body, nil
}

func (p *player) request(step *step) (*http.Request, error) {
	lookup := func(name string) (any, bool) { value, ok := p.variables[name]; return value, ok }
	method, target, _ := strings.Cut(fmt.Sprint(substituteText(step.Do, lookup)), " ")
	var body []byte
	contentType := "application/json"
	switch {
	case step.Text != "":
		body = []byte(fmt.Sprint(substituteText(step.Text, lookup)))
	case step.Body != nil:
		encoded, err := json.Marshal(substitute(step.Body, lookup))
		if err != nil {
			return nil, err
		}
		body = encoded
		if step.Protobuf {
			if body, err = toProtobuf(encoded); err != nil {
				return nil, err
			}
			contentType = "application/vnd.kubernetes.protobuf"
			step.Base64 = base64.StdEncoding.EncodeToString(body)
		}
	}
	request, err := http.NewRequest(method, p.control.base+target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+adminToken)
	request.Header.Set("User-Agent", "recorder")
	if body != nil {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range step.Headers {
		request.Header.Set(name, value)
	}
	return request, nil
}

func (w *openWatch) read(body io.ReadCloser) {
	defer body.Close()
	defer close(w.events)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 10<<20)
	for lines.Scan() {
		var event any
		if json.Unmarshal(lines.Bytes(), &event) == nil {
			w.events <- event
		}
	}
}

func (p *player) readEvents(step step) (*answered, error) {
	watch, ok := p.watches[step.Events]
	if !ok {
		return nil, fmt.Errorf("no watch of that name is open")
	}
	events := []any{}
	timeout := time.After(20 * time.Second)
	for len(events) < step.Count {
		select {
		case event, ok := <-watch.events:
			if !ok {
				return nil, fmt.Errorf("the watch ended after %d events", len(events))
			}
			events = append(events, event)
		case <-timeout:
			return nil, fmt.Errorf("only %d events within 20 s: %v", len(events), events)
		}
	}
	if last := len(events) - 1; last >= 0 {
		for variable, pointer := range step.Save {
			p.variables[variable], _ = at(events[last], pointer)
		}
	}
	// What comes beyond the count is a finding as well.
	select {
	case event := <-watch.events:
		return nil, fmt.Errorf("more than %d events: %v", step.Count, event)
	case <-time.After(300 * time.Millisecond):
	}
	return &answered{step: step, Content: p.marks.mark(trim(&step, any(events)))}, nil
}

// parse reads JSON, a stream of JSON, YAML and text; what a virtual cluster does not speak is only said to be opaque.
func parse(contentType string, content []byte) (any, error) {
	mediaType, _, _ := strings.Cut(contentType, ";")
	switch mediaType {
	case "application/json":
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.UseNumber()
		var values []any
		for {
			var value any
			if err := decoder.Decode(&value); err == io.EOF {
				break
			} else if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		// A watch that has ended is a list of its events.
		if len(values) == 1 && !isEvent(values[0]) {
			return values[0], nil
		}
		return values, nil
	case "application/yaml":
		var value any
		return value, yaml.Unmarshal(content, &value)
	case "text/plain", "":
		return string(content), nil
	}
	return map[string]any{"opaque": mediaType}, nil
}

func isEvent(value any) bool {
	fields, ok := value.(map[string]any)
	return ok && len(fields) == 2 && fields["type"] != nil && fields["object"] != nil
}

// What clients go by; Date and Content-Length are the connection's business.
func headers(all http.Header) map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"Content-Type", "Warning", "Retry-After", "Cache-Control", "X-Content-Type-Options"} {
		if values := all.Values(name); len(values) > 0 {
			kept[name] = strings.Join(values, "\n")
		}
	}
	if all.Get("Audit-Id") != "" {
		kept["Audit-Id"] = "<uid>"
	}
	return kept
}

func toProtobuf(object []byte) ([]byte, error) {
	decoded, kind, err := legacyscheme.Codecs.UniversalDeserializer().Decode(object, nil, nil)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	serializer := protobuf.NewSerializer(legacyscheme.Scheme, legacyscheme.Scheme)
	versioned := legacyscheme.Codecs.EncoderForVersion(serializer, kind.GroupVersion())
	if err := versioned.Encode(decoded, &out); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
