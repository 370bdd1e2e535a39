// `kubectl argo rollouts lint` for many files in one process.
//
//	rollouts FILE…    one line for each file: {"refused": ["…"]}
//
// In a module with Argo CD's server, for both are mostly Kubernetes' libraries: they are compiled once.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/cmd/lint"
	"github.com/argoproj/argo-rollouts/pkg/kubectl-argo-rollouts/options"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

type verdict struct {
	// What the linter has against the Rollouts of a file.
	Refused []string `json:"refused"`
}

func main() {
	verdicts := json.NewEncoder(os.Stdout)
	for _, file := range os.Args[1:] {
		given, err := check(file)
		if err == nil {
			err = verdicts.Encode(given)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// The error that the linter ends with, which is the first that it prints, with the field; then the others.
func check(file string) (verdict, error) {
	given := verdict{Refused: []string{}}
	said, err := os.CreateTemp("", "rollouts")
	if err != nil {
		return given, err
	}
	defer os.Remove(said.Name())
	defer said.Close()
	// It prints straight to standard output.
	stdout := os.Stdout
	os.Stdout = said
	streams := genericclioptions.IOStreams{In: strings.NewReader(""), Out: io.Discard, ErrOut: io.Discard}
	command := lint.NewCmdLint(options.NewArgoRolloutsOptions(streams))
	command.SetArgs([]string{"--filename", file})
	command.SilenceErrors = true
	ended := command.Execute()
	os.Stdout = stdout
	text, err := os.ReadFile(said.Name())
	if err != nil {
		return given, err
	}
	if ended == nil {
		return given, nil
	}
	given.Refused = append(given.Refused, ended.Error())
	if lines := strings.Split(strings.TrimSpace(string(text)), "\n"); len(lines) > 1 {
		given.Refused = append(given.Refused, lines[1:]...)
	}
	return given, nil
}
