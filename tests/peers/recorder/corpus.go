package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// scene is a file of the corpus: requests in order, against objects that no other scene touches.
type scene struct {
	name  string
	steps []step
}

// step is one request. What it needs of earlier answers it names as ${variable}.
type step struct {
	// Do is the method and the target.
	Do string `json:"do"`
	// Headers beside Content-Type, which is JSON unless given.
	Headers map[string]string `json:"headers,omitempty"`
	// Body as a tree; Text as it stands; Protobuf says that the tree is to be sent as such.
	Body     any    `json:"body,omitempty"`
	Text     string `json:"text,omitempty"`
	Protobuf bool   `json:"protobuf,omitempty"`
	// Base64 is the body as sent, where it was protobuf; only in recordings.
	Base64 string `json:"base64,omitempty"`
	// Save keeps values of the answer: variable to JSON pointer.
	Save map[string]string `json:"save,omitempty"`
	// Pick leaves of the answer's body only what is at these JSON pointers.
	Pick []string `json:"pick,omitempty"`
	// Without leaves out of the answer's body what is at these JSON pointers, * being any.
	Without []string `json:"without,omitempty"`
	// Managers leaves metadata.managedFields in the answer's body, without what belongs to controllers. A request that has it begins
	// with a second of its own, as owners are sorted by time.
	Managers bool `json:"managers,omitempty"`
	// Watch keeps the answer open under a name; Events reads Count events of it.
	Watch  string `json:"watch,omitempty"`
	Events string `json:"events,omitempty"`
	Count  int    `json:"count,omitempty"`
	// Until repeats the request until the answer has this status, or these values at these JSON pointers.
	Until *until `json:"until,omitempty"`
	// Settles lets the controllers do all that follows from the request before the next one.
	Settles bool `json:"settles,omitempty"`
	// Unordered names arrays whose items may come in any order.
	Unordered []string `json:"unordered,omitempty"`
	// Forget has the server forget all that was before it is asked.
	Forget bool `json:"forget,omitempty"`
}

type until struct {
	Status int            `json:"status,omitempty"`
	Has    map[string]any `json:"has,omitempty"`
}

// matrix is a scene written once for many kinds: each row's values take the place of ${name} in the steps.
type matrix struct {
	// Settles stands for all of its writes.
	Settles bool             `json:"settles"`
	Steps   []step           `json:"steps"`
	Rows    []map[string]any `json:"rows"`
}

func loadScenes(dir string) ([]scene, error) {
	files, err := filepath.Glob(dir + "/*.yaml")
	if err != nil {
		return nil, err
	}
	var scenes []scene
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		var read matrix
		if err := yaml.UnmarshalStrict(text, &read); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for i := range read.Steps {
			read.Steps[i].Settles = read.Steps[i].Settles || read.Settles && !strings.HasPrefix(read.Steps[i].Do, "GET ")
		}
		if read.Rows == nil {
			scenes = append(scenes, scene{name: name, steps: read.Steps})
			continue
		}
		for _, row := range read.Rows {
			steps, err := fill(read.Steps, row)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			scenes = append(scenes, scene{name: fmt.Sprintf("%s-%s", name, row["name"]), steps: steps})
		}
	}
	return scenes, nil
}

// fill puts a row's values into steps; a step whose `do` names a value that the row lacks is left out.
func fill(steps []step, row map[string]any) ([]step, error) {
	var filled []step
	for _, pattern := range steps {
		bytes, err := json.Marshal(pattern)
		if err != nil {
			return nil, err
		}
		var tree any
		if err := json.Unmarshal(bytes, &tree); err != nil {
			return nil, err
		}
		missing := false
		tree = substitute(tree, func(name string) (any, bool) {
			value, ok := row[name]
			return value, ok
		})
		if bytes, err = json.Marshal(tree); err != nil {
			return nil, err
		}
		var one step
		if err := json.Unmarshal(bytes, &one); err != nil {
			return nil, err
		}
		for _, name := range []string{"${namespace}", "${status}", "${scale}", "${change}", "${object}", "${wrong}", "${frozen}"} {
			missing = missing || strings.Contains(string(bytes), name)
		}
		if !missing {
			filled = append(filled, one)
		}
	}
	return filled, nil
}

// substitute replaces ${name} in every text of a tree; a text that is nothing else becomes the value itself.
func substitute(tree any, value func(string) (any, bool)) any {
	switch tree := tree.(type) {
	case string:
		return substituteText(tree, value)
	case []any:
		out := make([]any, len(tree))
		for i := range tree {
			out[i] = substitute(tree[i], value)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(tree))
		for key, item := range tree {
			out[fmt.Sprint(substituteText(key, value))] = substitute(item, value)
		}
		return out
	}
	return tree
}

func substituteText(text string, value func(string) (any, bool)) any {
	var out strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "${")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name, behind, closed := strings.Cut(after, "}")
		if !closed {
			out.WriteString("${" + after)
			return out.String()
		}
		if got, ok := value(name); !ok {
			out.WriteString("${" + name + "}")
		} else if before == "" && behind == "" && rest == text {
			return got
		} else {
			fmt.Fprint(&out, got)
		}
		rest = behind
	}
}

func writeRecording(path string, answers []answered) error {
	var out strings.Builder
	for _, answer := range answers {
		encoder := json.NewEncoder(&out)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(answer); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(out.String()), 0o644)
}
