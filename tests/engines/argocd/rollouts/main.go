// What the controller of Argo Rollouts has against Rollouts, by the validation that it shares with `kubectl argo
// rollouts lint`, for many files in one process.
//
//	rollouts FILE…    one line for each file: {"rollouts": 1, "refused": ["…"]}
//
// The linter itself leaves a `workloadRef` alone and then finds no label that a Service selects by; the controller, and
// this, put the workload's template in its place.
//
// In a module with Argo CD's server, for both are mostly Kubernetes' libraries: they are compiled once.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	documents "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/validation"
)

type verdict struct {
	// How many there were.
	Rollouts int `json:"rollouts"`
	// What is wrong with them.
	Refused []string `json:"refused"`
}

func main() {
	verdicts := json.NewEncoder(os.Stdout)
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err == nil {
			err = verdicts.Encode(check(text))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

// The objects of a file that Rollouts may name.
type objects struct {
	rollouts        []*v1alpha1.Rollout
	deployments     map[string]*appsv1.Deployment
	services        map[string]*corev1.Service
	virtualServices map[string]unstructured.Unstructured
}

func check(text []byte) verdict {
	given := verdict{Refused: []string{}}
	found, err := read(text)
	if err != nil {
		given.Refused = append(given.Refused, err.Error())
		return given
	}
	for _, rollout := range found.rollouts {
		given.Rollouts++
		if reference := rollout.Spec.WorkloadRef; reference != nil {
			deployment, isThere := found.deployments[reference.Name]
			if !isThere {
				given.Refused = append(given.Refused, fmt.Sprintf("%s: no Deployment %s", rollout.Name, reference.Name))
				continue
			}
			rollout.Spec.SetResolvedTemplate(deployment.Spec.Template)
			rollout.Spec.SetResolvedSelector(deployment.Spec.Selector)
		}
		named, missing := found.namedBy(rollout)
		for _, one := range missing {
			given.Refused = append(given.Refused, fmt.Sprintf("%s: no %s", rollout.Name, one))
		}
		refused := validation.ValidateRollout(rollout)
		refused = append(refused, validation.ValidateRolloutReferencedResources(rollout, named)...)
		for _, problem := range refused {
			given.Refused = append(given.Refused, problem.Error())
		}
	}
	return given
}

// What a canary names, and what of it is not there.
// Source: argo-rollouts, `Controller.getReferencedServices`, `Controller.getReferencedVirtualServices`.
func (found objects) namedBy(rollout *v1alpha1.Rollout) (named validation.ReferencedResources, missing []string) {
	canary := rollout.Spec.Strategy.Canary
	if canary == nil {
		return named, nil
	}
	for _, one := range []struct {
		name string
		of   validation.ServiceType
	}{{canary.StableService, validation.StableService}, {canary.CanaryService, validation.CanaryService}} {
		if service, isThere := found.services[one.name]; isThere {
			named.ServiceWithType = append(named.ServiceWithType, validation.ServiceWithType{Service: service, Type: one.of})
		} else if one.name != "" {
			missing = append(missing, "Service "+one.name)
		}
	}
	if canary.TrafficRouting == nil || canary.TrafficRouting.Istio == nil {
		return named, missing
	}
	routes := canary.TrafficRouting.Istio.VirtualServices
	if one := canary.TrafficRouting.Istio.VirtualService; one != nil {
		routes = append(routes, *one)
	}
	for _, route := range routes {
		if virtualService, isThere := found.virtualServices[route.Name]; isThere {
			named.VirtualServices = append(named.VirtualServices, virtualService)
		} else {
			missing = append(missing, "VirtualService "+route.Name)
		}
	}
	return named, missing
}

// Errors: no YAML, and fields that a kind does not have.
func read(text []byte) (objects, error) {
	found := objects{
		deployments:     map[string]*appsv1.Deployment{},
		services:        map[string]*corev1.Service{},
		virtualServices: map[string]unstructured.Unstructured{},
	}
	stream := documents.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := stream.Read()
		if errors.Is(err, io.EOF) {
			return found, nil
		} else if err != nil {
			return found, err
		}
		var object unstructured.Unstructured
		if err := yaml.UnmarshalStrict(document, &object.Object); err != nil {
			return found, err
		}
		switch object.GroupVersionKind().GroupKind().String() {
		case "Rollout.argoproj.io":
			rollout := &v1alpha1.Rollout{}
			err = yaml.UnmarshalStrict(document, rollout, yaml.DisallowUnknownFields)
			found.rollouts = append(found.rollouts, rollout)
		case "Deployment.apps":
			deployment := &appsv1.Deployment{}
			err = yaml.UnmarshalStrict(document, deployment, yaml.DisallowUnknownFields)
			found.deployments[object.GetName()] = deployment
		case "Service":
			service := &corev1.Service{}
			err = yaml.UnmarshalStrict(document, service, yaml.DisallowUnknownFields)
			found.services[object.GetName()] = service
		case "VirtualService.networking.istio.io":
			found.virtualServices[object.GetName()] = object
		}
		if err != nil {
			return found, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
}
