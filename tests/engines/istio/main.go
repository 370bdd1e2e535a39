// The analysis of `istioctl analyze --use-kube=false`, for many cases in one process.
//
// Standard input is a JSON list of cases, each a name and its manifests; standard output a JSON list of findings, each
// with the name of its case. istioctl itself leaves out the pods that it reads from a file and then finds every subset
// of every DestinationRule without pods; here they count.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/local"
	"istio.io/istio/pkg/log"
)

type analysisCase struct {
	Name      string            `json:"name"`
	Manifests []json.RawMessage `json:"manifests"`
}

type finding struct {
	Case string `json:"case"`
	// The code: IST0101.
	Code string `json:"code"`
	// Kind and name of the object it is about: VirtualService/orders.
	Object  string `json:"object"`
	Message string `json:"message"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel("all", log.ErrorLevel)
	if err := log.Configure(options); err != nil {
		return err
	}
	var cases []analysisCase
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		return fmt.Errorf("standard input: %w", err)
	}
	findings := []finding{}
	for _, one := range cases {
		found, err := analyze(one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.Name, err)
		}
		findings = append(findings, found...)
	}
	return json.NewEncoder(os.Stdout).Encode(findings)
}

func analyze(one analysisCase) ([]finding, error) {
	// JSON is YAML: one document for each manifest.
	var text strings.Builder
	for _, manifest := range one.Manifests {
		text.WriteString("---\n")
		text.Write(manifest)
		text.WriteString("\n")
	}
	analyzer := local.NewIstiodAnalyzer(analyzers.AllCombined(), "", "istio-system", nil)
	// The first source decides which kinds all of them are read for.
	source := local.ReaderSource{Name: one.Name, Reader: strings.NewReader(text.String())}
	if err := analyzer.AddTestReaderKubeSource([]local.ReaderSource{source}); err != nil {
		return nil, err
	}
	if err := analyzer.AddDefaultResources(); err != nil {
		return nil, err
	}
	// Closing it ends the stores that the analyzer starts.
	stop := make(chan struct{})
	defer close(stop)
	result, err := analyzer.Analyze(stop)
	if err != nil {
		return nil, err
	}
	if len(result.SkippedAnalyzers) > 0 {
		return nil, fmt.Errorf("analyzers without input: %v", result.SkippedAnalyzers)
	}
	var findings []finding
	for _, message := range result.Messages {
		metadata := message.Resource.Metadata
		findings = append(findings, finding{
			Case:    one.Name,
			Code:    message.Type.Code(),
			Object:  metadata.Schema.Kind() + "/" + string(metadata.FullName.Name),
			Message: fmt.Sprintf(message.Type.Template(), message.Parameters...),
		})
	}
	return findings, nil
}
