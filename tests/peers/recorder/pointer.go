package main

import (
	"strconv"
	"strings"
)

// at finds what a JSON pointer names.
func at(tree any, pointer string) (any, bool) {
	for _, name := range names(pointer) {
		switch node := tree.(type) {
		case map[string]any:
			value, ok := node[name]
			if !ok {
				return nil, false
			}
			tree = value
		case []any:
			index, err := strconv.Atoi(name)
			if err != nil || index < 0 || index >= len(node) {
				return nil, false
			}
			tree = node[index]
		default:
			return nil, false
		}
	}
	return tree, true
}

// trim leaves of a body what a step wants to compare.
func trim(step *step, body any) any {
	if step.Pick != nil {
		picked := map[string]any{}
		for _, pointer := range step.Pick {
			if value, ok := at(body, pointer); ok {
				picked[pointer] = value
			}
		}
		body = picked
	}
	withoutManagers(body, step.Managers)
	for _, pointer := range step.Without {
		without(body, names(pointer))
	}
	return body
}

// withoutManagers leaves out metadata.managedFields, which a virtual cluster keeps from the first apply on only, or else those of
// controllers, which it never keeps.
func withoutManagers(tree any, butOthers bool) {
	switch node := tree.(type) {
	case map[string]any:
		if metadata, ok := node["metadata"].(map[string]any); ok {
			var others []any
			fields, _ := metadata["managedFields"].([]any)
			for _, field := range fields {
				if owner, ok := field.(map[string]any); ok && owner["manager"] != "kube-controller-manager" {
					others = append(others, field)
				}
			}
			if delete(metadata, "managedFields"); butOthers && len(others) > 0 {
				metadata["managedFields"] = others
			}
		}
		for _, value := range node {
			withoutManagers(value, butOthers)
		}
	case []any:
		for _, value := range node {
			withoutManagers(value, butOthers)
		}
	}
}

func without(tree any, names []string) {
	switch node := tree.(type) {
	case map[string]any:
		if len(names) == 1 {
			delete(node, names[0])
			return
		}
		for key, value := range node {
			if names[0] == "*" || names[0] == key {
				without(value, names[1:])
			}
		}
	case []any:
		for index, value := range node {
			if len(names) > 1 && (names[0] == "*" || names[0] == strconv.Itoa(index)) {
				without(value, names[1:])
			}
		}
	}
}

func names(pointer string) []string {
	if pointer == "" {
		return nil
	}
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
	}
	return parts
}
