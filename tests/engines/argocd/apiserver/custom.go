package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	structural "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
)

// The kinds that Kubernetes brings, and those of every definition in a folder.
func definitions(folder string) (resources, error) {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoder := serializer.NewCodecFactory(scheme).UniversalDecoder() // v1 and v1beta1 alike
	kinds := builtin()
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("%s: no definitions of custom resources (%v)", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		documents, err := read(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, document := range documents {
			decoded, _, err := decoder.Decode(document.json, nil, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			definition, isOne := decoded.(*apiextensions.CustomResourceDefinition)
			if !isOne {
				return nil, fmt.Errorf("%s: %s is no definition", file, document.told)
			}
			if err := define(kinds, definition); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return kinds, nil
}

// Adds the served versions of a definition, as the API server takes them in.
// Source: apiextensions-apiserver, `crdHandler.getOrCreateServingInfoFor`.
func define(kinds resources, definition *apiextensions.CustomResourceDefinition) error {
	spec := definition.Spec
	for _, version := range spec.Versions {
		if !version.Served {
			continue
		}
		of := schema.GroupVersionKind{Group: spec.Group, Version: version.Name, Kind: spec.Names.Kind}
		found, err := apiextensions.GetSchemaForVersion(definition, version.Name)
		if err != nil {
			return err
		}
		if found == nil || found.OpenAPIV3Schema == nil {
			continue // Old versions may have none: everything is taken.
		}
		validator, _, err := validation.NewSchemaValidator(found.OpenAPIV3Schema)
		if err != nil {
			return err
		}
		// Those that keep unknown fields need no structural schema: what does not follow from it is not looked at.
		keepsUnknown := spec.PreserveUnknownFields != nil && *spec.PreserveUnknownFields
		shape, err := structural.NewStructural(found.OpenAPIV3Schema)
		if err != nil && !keepsUnknown {
			return err
		}
		if !keepsUnknown {
			if err := defaulting.PruneDefaults(shape); err != nil {
				return err
			}
		}
		subresources, err := apiextensions.GetSubresourcesForVersion(definition, version.Name)
		if err != nil {
			return err
		}
		var status *apiextensions.CustomResourceSubresourceStatus
		var scale *apiextensions.CustomResourceSubresourceScale
		if subresources != nil {
			status, scale = subresources.Status, subresources.Scale
		}
		isNamespaced := spec.Scope == apiextensions.NamespaceScoped
		strategy := customresource.NewStrategy(typer{}, isNamespaced, of, validator, nil, shape, status, scale, nil)
		kinds[kindOf(of)] = append(kinds[kindOf(of)], resource{
			decode: func(given []byte) (runtime.Object, error) {
				return decodeCustom(given, shape, keepsUnknown)
			},
			strategy: strategy,
		})
	}
	return nil
}

// Source: apiextensions-apiserver, `unstructuredSchemaCoercer.apply`, `unstructuredDefaulter`.
func decodeCustom(given []byte, shape *structural.Structural, keepsUnknown bool) (runtime.Object, error) {
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(given); err != nil {
		return nil, err
	}
	options := objectmeta.ObjectMetaOptions{ReturnUnknownFieldPaths: true}
	metadata, _, unknown, err := objectmeta.GetObjectMetaWithOptions(object.Object, options)
	if err != nil {
		return nil, err
	}
	if !keepsUnknown {
		version, kind := object.GetAPIVersion(), object.GetKind()
		tracked := structural.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}
		unknown = append(unknown, pruning.PruneWithOptions(object.Object, shape, true, tracked)...)
		defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, shape)
		object.SetAPIVersion(version)
		object.SetKind(kind)
		if err := objectmeta.SetObjectMeta(object.Object, metadata); err != nil {
			return nil, err
		}
		defaulting.Default(object.Object, shape)
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("unknown fields %s", strings.Join(unknown, ", "))
	}
	return object, nil
}

// Says of an object what it says of itself.
type typer struct{}

func (typer) ObjectKinds(object runtime.Object) ([]schema.GroupVersionKind, bool, error) {
	return []schema.GroupVersionKind{object.GetObjectKind().GroupVersionKind()}, false, nil
}

func (typer) Recognizes(schema.GroupVersionKind) bool { return true }
