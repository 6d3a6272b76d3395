package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// recordPatches writes down what the reference implementation of strategic merge patches makes of seeded random Deployments and patches.
func recordPatches(dir string) error {
	random := rand.New(rand.NewSource(1))
	var out strings.Builder
	for range 250 {
		original, patch := deployment(random), patchOf(random)
		originalJSON, err := json.Marshal(original)
		if err != nil {
			return err
		}
		patchJSON, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		line := map[string]any{"original": original, "patch": patch}
		if merged, err := strategicpatch.StrategicMergePatch(originalJSON, patchJSON, appsv1.Deployment{}); err != nil {
			line["error"] = err.Error()
		} else {
			line["merged"] = json.RawMessage(merged)
		}
		encoded, err := json.Marshal(line)
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s\n", encoded)
	}
	return os.WriteFile(dir+"/strategic.jsonl", []byte(out.String()), 0o644)
}

type tree = map[string]any

func deployment(r *rand.Rand) tree {
	pod := tree{"containers": containers(r, false)}
	if maybe(r) {
		pod["volumes"] = []any{tree{"name": "v", "emptyDir": tree{}}, tree{"name": "w", "secret": tree{"secretName": "s"}}}
	}
	if maybe(r) {
		pod["tolerations"] = []any{tree{"operator": "Exists"}}
	}
	if maybe(r) {
		pod["imagePullSecrets"] = []any{tree{"name": "p"}}
	}
	if maybe(r) {
		pod["nodeSelector"] = tree{"a": "1", "b": "2"}
	}
	metadata := tree{"name": "x", "labels": tree{"a": "1", "b": "2"}}
	if maybe(r) {
		metadata["finalizers"] = []any{"f/a", "f/b"}
	}
	strategy := tree{"type": "RollingUpdate", "rollingUpdate": tree{"maxSurge": "25%", "maxUnavailable": 1}}
	return tree{"metadata": metadata, "spec": tree{"replicas": 1, "strategy": strategy, "template": tree{"spec": pod}}}
}

func patchOf(r *rand.Rand) tree {
	pod, metadata, spec := tree{}, tree{}, tree{}
	if maybe(r) {
		pod["containers"] = containers(r, true)
	}
	if rare(r) {
		pod["$setElementOrder/containers"] = []any{tree{"name": "b"}, tree{"name": "a"}, tree{"name": "c"}}
	}
	if rare(r) {
		pod["volumes"] = []any{tree{"name": "v", "$retainKeys": []any{"name", "hostPath"}, "hostPath": tree{"path": "/x"}}}
	} else if rare(r) {
		pod["volumes"] = []any{tree{"name": "w", "$patch": "delete"}, tree{"name": "z", "emptyDir": nil}}
	}
	if rare(r) {
		pod["tolerations"] = []any{tree{"key": "k", "operator": "Exists"}}
	}
	if rare(r) {
		pod["nodeSelector"] = tree{"a": nil, "c": "3"}
	} else if rare(r) {
		pod["nodeSelector"] = tree{"$patch": "replace", "only": "this"}
	}
	if rare(r) {
		pod["imagePullSecrets"] = nil
	}
	if maybe(r) {
		metadata["labels"] = tree{"a": nil, "c": "3"}
	}
	if rare(r) {
		metadata["finalizers"] = []any{"f/c", "f/a"}
	} else if rare(r) {
		metadata["$deleteFromPrimitiveList/finalizers"] = []any{"f/a"}
	}
	if rare(r) {
		spec["strategy"] = tree{"$retainKeys": []any{"type"}, "type": "Recreate"}
	} else if rare(r) {
		spec["strategy"] = tree{"rollingUpdate": tree{"maxSurge": 2}}
	}
	if rare(r) {
		spec["replicas"] = r.Intn(5)
	}
	spec["template"] = tree{"spec": pod}
	return tree{"metadata": metadata, "spec": spec}
}

func containers(r *rand.Rand, isPatch bool) []any {
	names := []string{"a", "b", "c", "d"}
	r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	var list []any
	for _, name := range names[:1+r.Intn(3)] {
		container := tree{"name": name, "image": fmt.Sprintf("i:%d", r.Intn(3))}
		if isPatch && rare(r) {
			list = append(list, tree{"name": name, "$patch": "delete"})
			continue
		}
		if maybe(r) {
			container["env"] = environment(r, isPatch)
		}
		if maybe(r) {
			container["ports"] = []any{tree{"containerPort": 80 + r.Intn(2), "protocol": "TCP"}}
		}
		if maybe(r) {
			container["args"] = []any{fmt.Sprint(r.Intn(3)), "x"}
		}
		if maybe(r) {
			container["resources"] = tree{"limits": tree{"cpu": fmt.Sprint(r.Intn(3))}}
		} else if isPatch && rare(r) {
			container["resources"] = nil
		}
		if isPatch && rare(r) {
			container["$patch"] = "replace"
		}
		list = append(list, container)
	}
	if isPatch && rare(r) {
		list = append(list, tree{"$patch": "replace"})
	}
	return list
}

func environment(r *rand.Rand, isPatch bool) []any {
	list := []any{tree{"name": "A", "value": fmt.Sprint(r.Intn(3))}, tree{"name": string(rune('B' + r.Intn(3))), "value": "x"}}
	if isPatch && rare(r) {
		list = append(list, tree{"name": "D", "$patch": "delete"})
	}
	return list
}

func maybe(r *rand.Rand) bool { return r.Intn(2) == 0 }

func rare(r *rand.Rand) bool { return r.Intn(4) == 0 }
