package main

import (
	"encoding/json"
	"regexp"
	"sort"
	"strings"
)

// marks puts <uid>, <time> … where an answer holds what differs from run to run, and remembers what it met so that it is marked
// wherever it comes again, in messages too.
type marks struct {
	known map[string]string
}

func newMarks() *marks { return &marks{known: map[string]string{}} }

var (
	isUID       = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	isTime      = regexp.MustCompile(`^20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	isMicroTime = regexp.MustCompile(`^20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	isServiceIP = regexp.MustCompile(`^10\.43\.\d+\.\d+$`)
	isAge       = regexp.MustCompile(`^(\d+s|\d+m(\d+s)?|\d+d)$`)
	isHash      = regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{6,10}$`)
	isGenerated = regexp.MustCompile(`^[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	inMessages  = []struct {
		pattern *regexp.Regexp
		marked  string
	}{
		{regexp.MustCompile(`current: \d+`), "current: <rv>"},
		{regexp.MustCompile(`too old resource version: (\d+) \(\d+\)`), "too old resource version: $1 (<rv>)"},
		// The patched object as a whole, in the order of Go's structs.
		{regexp.MustCompile(`(?s)patch: Invalid value: "\{.*\}": `), `patch: Invalid value: <object>: `},
		{regexp.MustCompile(`(?s)^Invalid value: "\{.*\}": `), `Invalid value: <object>: `},
		{regexp.MustCompile(`0x[0-9a-f]{8,16}`), "<pointer>"},
		{regexp.MustCompile(`ResourceVersion in record \(\d+\)`), "ResourceVersion in record (<rv>)"},
		{regexp.MustCompile(`JTI=[0-9a-f-]{36}`), "JTI=<uid>"},
		{regexp.MustCompile(`kube-api-access-[a-z0-9]{5}`), "kube-api-access-<generated>"},
		{regexp.MustCompile(`Bad_[a-z0-9]{5}`), "Bad_<generated>"},
		{regexp.MustCompile(`current time: [0-9TZ:.+-]+`), "current time: <time>"},
	}
)

// mark replaces the volatile parts of a tree.
func (m *marks) mark(tree any) any {
	m.learn(tree)
	return m.replace("", tree)
}

func (m *marks) learn(tree any) {
	switch node := tree.(type) {
	case []any:
		for _, item := range node {
			m.learn(item)
		}
	case map[string]any:
		if prefix, ok := node["generateName"].(string); ok {
			name, _ := node["name"].(string)
			if suffix, found := strings.CutPrefix(name, prefix); found && isGenerated.MatchString(suffix) {
				m.known[name] = prefix + "<generated>"
			}
		}
		for key, value := range node {
			text, isText := value.(string)
			switch {
			case isText && isUID.MatchString(text):
				m.known[text] = "<uid>"
			case isText && key == "continue" && text != "":
				m.known[text] = "<continue>"
			case isText && (key == "currentRevision" || key == "updateRevision"):
				m.learnHash(text)
			case isText && (key == "pod-template-hash" || key == "controller-revision-hash"):
				m.learnHash("-" + text)
			case isText && (strings.HasPrefix(text, "eyJ") || (key == "token" && len(text) > 100)):
				m.known[text] = "<token>"
			case isText && (key == "ca.crt"):
				m.known[text] = "<pem>"
			case isText && isServiceIP.MatchString(text):
				m.known[text] = "<ip>"
			}
			m.learn(value)
		}
	}
}

// learnHash remembers the hash that a name ends with: it is of a template as Go prints it.
func (m *marks) learnHash(name string) {
	if hash := name[strings.LastIndexByte(name, '-')+1:]; isHash.MatchString(hash) {
		m.known[hash] = "<hash>"
	}
}

func (m *marks) replace(key string, tree any) any {
	switch node := tree.(type) {
	case []any:
		out := make([]any, len(node))
		for i := range node {
			out[i] = m.replace(key, node[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(node))
		for name, value := range node {
			out[m.text(name)] = m.replace(name, value)
		}
		return out
	case json.Number:
		if key == "nodePort" || key == "healthCheckNodePort" {
			return "<port>"
		}
	case string:
		switch {
		case key == "resourceVersion" && node != "" && node != "0":
			return "<rv>"
		case isTime.MatchString(node):
			return "<time>"
		case isMicroTime.MatchString(node):
			return "<microtime>"
		case key == "cells" && isAge.MatchString(node):
			return "<age>"
		}
		return m.text(node)
	}
	return tree
}

func (m *marks) text(text string) string {
	found := make([]string, 0, 4)
	for value := range m.known {
		if strings.Contains(text, value) {
			found = append(found, value)
		}
	}
	sort.Slice(found, func(i, j int) bool { return len(found[i]) > len(found[j]) })
	for _, value := range found {
		text = strings.ReplaceAll(text, value, m.known[value])
	}
	for _, in := range inMessages {
		text = in.pattern.ReplaceAllString(text, in.marked)
	}
	return text
}
