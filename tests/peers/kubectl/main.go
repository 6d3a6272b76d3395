// Command kubectl is the upstream kubectl, built from the k8s.io/kubectl module for machines whose PATH has none.
//
// Rancher runs the kubectl binary to deploy its agent (rancher/rancher pkg/kubectl); the peer does the same, with the
// binary named by $KUBECTL, else the one in PATH.
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
