// What the API server of Kubernetes says of objects that are applied, without a cluster: its own decoders, strict as
// with `fieldValidation=Strict`, its own defaults and its own rules for what is created and for what takes the place of
// another, for built-in kinds and, from their definitions, for custom ones: structural schemas and CEL.
//
//	apiserver FOLDER < changes    definitions of custom resources from FOLDER; one change a line, one verdict a line
//
// In a module with Argo CD's server, for both are mostly Kubernetes' libraries: they are compiled once.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	strict "sigs.k8s.io/yaml"
)

// The objects before and after: YAML streams.
type change struct {
	Before string `json:"before"`
	After  string `json:"after"`
}

type verdict struct {
	// How many objects were judged.
	Judged int `json:"judged"`
	// Kinds of objects that were not, for nobody defines them: `helm.toolkit.fluxcd.io/v2 HelmRelease`.
	Unknown []string `json:"unknown"`
	// What is refused, and why: `create Deployment web: …`.
	Refused []string `json:"refused"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: apiserver FOLDER < changes")
	}
	kinds, err := definitions(os.Args[1])
	if err != nil {
		return err
	}
	changes := json.NewDecoder(bufio.NewReader(os.Stdin))
	verdicts := json.NewEncoder(os.Stdout)
	for {
		var asked change
		if err := changes.Decode(&asked); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		if err := verdicts.Encode(judge(kinds, asked)); err != nil {
			return err
		}
	}
}

// How objects of one kind are read and judged. A kind may have several: there are variants of some definitions.
type resource struct {
	// Reads JSON with the defaults that the server fills in. Unknown and duplicate fields are errors.
	decode   func([]byte) (runtime.Object, error)
	strategy rest.RESTCreateUpdateStrategy
}

// Kinds by `apps/v1 Deployment`.
type resources map[string][]resource

type object struct {
	kind string
	// Kind and name, with its namespace where there is one.
	told string
	json []byte
}

func judge(kinds resources, asked change) verdict {
	given := verdict{Unknown: []string{}, Refused: []string{}}
	refuse := func(format string, values ...any) {
		given.Refused = append(given.Refused, fmt.Sprintf(format, values...))
	}
	before, err := read(asked.Before)
	if err != nil {
		refuse("before: %v", err)
	}
	after, err := read(asked.After)
	if err != nil {
		refuse("after: %v", err)
	}
	live := map[string]object{}
	for _, found := range before {
		live[found.told] = found
	}
	for _, applied := range after {
		defined, isKnown := kinds[applied.kind]
		if !isKnown {
			given.Unknown = append(given.Unknown, applied.kind)
			continue
		}
		given.Judged++
		for _, resource := range defined {
			if err := resource.create(applied.json); err != nil {
				refuse("create %s: %v", applied.told, err)
			}
			replaced, isThere := live[applied.told]
			if !isThere || replaced.kind != applied.kind {
				continue
			}
			if err := resource.update(replaced.json, applied.json); err != nil {
				refuse("update %s: %v", applied.told, err)
			}
		}
	}
	return given
}

// The objects of a YAML stream. Errors: no YAML, or a key twice in one mapping.
func read(stream string) ([]object, error) {
	var objects []object
	documents := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(stream)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		asJSON, err := strict.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Namespace string `json:"namespace"`
				Name      string `json:"name"`
			} `json:"metadata"`
		}
		if string(asJSON) == "null" {
			continue
		}
		if err := json.Unmarshal(asJSON, &head); err != nil {
			return nil, err
		}
		told := head.Kind + " " + head.Metadata.Name
		if head.Metadata.Namespace != "" {
			told = head.Kind + " " + head.Metadata.Namespace + "/" + head.Metadata.Name
		}
		objects = append(objects, object{kind: head.APIVersion + " " + head.Kind, told: told, json: asJSON})
	}
}

// Where a user's objects without a namespace go.
const namespace = "default"

func (resource resource) create(given []byte) error {
	created, err := resource.applied(given)
	if err != nil {
		return err
	}
	rest.FillObjectMetaSystemFields(accessor(created))
	return rest.BeforeCreate(resource.strategy, within(created), created)
}

func (resource resource) update(live, given []byte) error {
	old, err := resource.applied(live)
	if err != nil {
		return nil // Said where it was created.
	}
	updated, err := resource.applied(given)
	if err != nil {
		return err
	}
	rest.FillObjectMetaSystemFields(accessor(old))
	resource.strategy.PrepareForCreate(within(old), old)
	// As if the server had stored the one, and whoever applies the other had read it.
	for _, object := range []runtime.Object{old, updated} {
		accessor(object).SetUID(accessor(old).GetUID())
		accessor(object).SetResourceVersion("1")
	}
	return rest.BeforeUpdate(resource.strategy, within(updated), updated, old)
}

func (resource resource) applied(given []byte) (runtime.Object, error) {
	object, err := resource.decode(given)
	if err != nil {
		return nil, err
	}
	if accessor(object).GetNamespace() == "" {
		accessor(object).SetNamespace(namespace)
	}
	return object, nil
}

func within(object runtime.Object) context.Context {
	return request.WithNamespace(context.Background(), accessor(object).GetNamespace())
}

func accessor(object runtime.Object) metav1.Object {
	found, err := meta.Accessor(object)
	if err != nil {
		panic(err) // Everything that is decoded here has metadata.
	}
	return found
}

func kindOf(of schema.GroupVersionKind) string {
	version, kind := of.ToAPIVersionAndKind()
	return version + " " + kind
}
