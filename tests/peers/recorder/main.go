// Command recorder asks a real kube-apiserver what tests/differential/corpus holds, and writes down what it answers.
//
// Nobody but a developer runs it, after a change of the corpus (it takes ten minutes, and as many to build Kubernetes the first time):
//
//	cd tests/peers/recorder && go run . ../../differential
//
// It needs nothing but Go: etcd and the apiserver are ordinary modules, run by this very program.
package main

import (
	"errors"
	"fmt"
	"os"
	"sort"

	"k8s.io/component-base/cli"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllers "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: recorder DIRECTORY [SCENE...] | recorder serve PODS")
		os.Exit(2)
	}
	// The servers are this program under another name, so that each has its flags and its process to itself.
	switch command := os.Args[1]; command {
	case "kube-apiserver", "kube-controller-manager":
		os.Args = os.Args[1:]
		root := apiserver.NewAPIServerCommand()
		if command == "kube-controller-manager" {
			root = controllers.NewControllerManagerCommand()
		}
		os.Exit(cli.Run(root))
	}
	if os.Args[1] == "serve" && len(os.Args) == 3 {
		if err := serve(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "recorder:", err)
			os.Exit(1)
		}
		return
	}
	if err := record(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "recorder:", err)
		os.Exit(1)
	}
}

func record(dir string, only []string) error {
	scenes, err := loadScenes(dir + "/corpus")
	if err != nil {
		return err
	}
	// What a server has by itself is asked for before anybody adds to it.
	sort.SliceStable(scenes, func(i, j int) bool { return scenes[i].name == "discovery" && scenes[j].name != "discovery" })
	control, err := startControlPlane()
	if err != nil {
		return err
	}
	defer control.stop()
	var failures []error
	for _, scene := range scenes {
		if len(only) > 0 && !contains(only, scene.name) {
			continue
		}
		answers, err := control.play(scene)
		if err != nil {
			failures = append(failures, fmt.Errorf("scene %s: %w", scene.name, err))
			continue
		}
		if err := writeRecording(dir+"/recorded/"+scene.name+".jsonl", answers); err != nil {
			return err
		}
		fmt.Printf("%-24s %4d requests\n", scene.name, len(answers))
	}
	if len(only) == 0 {
		failures = append(failures, recordPatches(dir))
	}
	return errors.Join(failures...)
}

func contains(names []string, wanted string) bool {
	for _, name := range names {
		if name == wanted {
			return true
		}
	}
	return false
}
