package main

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apiserver/pkg/registry/rest"

	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/networkpolicy"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
)

// The kinds that Kubernetes brings, as far as applications have them, in every version that is served.
func builtin() resources {
	strategies := map[schema.GroupKind]rest.RESTCreateUpdateStrategy{
		{Kind: "ConfigMap"}:                                     configmap.Strategy,
		{Kind: "Secret"}:                                        secret.Strategy,
		{Kind: "Service"}:                                       service.Strategy,
		{Kind: "ServiceAccount"}:                                serviceaccount.Strategy,
		{Group: "apps", Kind: "DaemonSet"}:                      daemonset.Strategy,
		{Group: "apps", Kind: "Deployment"}:                     deployment.Strategy,
		{Group: "apps", Kind: "StatefulSet"}:                    statefulset.Strategy,
		{Group: "autoscaling", Kind: "HorizontalPodAutoscaler"}: horizontalpodautoscaler.Strategy,
		{Group: "batch", Kind: "CronJob"}:                       cronjob.Strategy,
		{Group: "batch", Kind: "Job"}:                           job.Strategy,
		{Group: "networking.k8s.io", Kind: "Ingress"}:           ingress.Strategy,
		{Group: "networking.k8s.io", Kind: "NetworkPolicy"}:     networkpolicy.Strategy,
		{Group: "policy", Kind: "PodDisruptionBudget"}:          poddisruptionbudget.Strategy,
	}
	// Versions of these groups that servers have stopped to serve are in the scheme all the same.
	served := []schema.GroupVersion{
		{Version: "v1"},
		{Group: "apps", Version: "v1"},
		{Group: "autoscaling", Version: "v1"},
		{Group: "autoscaling", Version: "v2"},
		{Group: "batch", Version: "v1"},
		{Group: "networking.k8s.io", Version: "v1"},
		{Group: "policy", Version: "v1"},
	}
	codecs := serializer.NewCodecFactory(legacyscheme.Scheme, serializer.EnableStrict)
	kinds := resources{}
	for _, version := range served {
		for kind := range legacyscheme.Scheme.KnownTypes(version) {
			of := version.WithKind(kind)
			if strategy, isOne := strategies[of.GroupKind()]; isOne {
				kinds[kindOf(of)] = []resource{{decode: decoder(codecs), strategy: strategy}}
			}
		}
	}
	return kinds
}

func decoder(codecs serializer.CodecFactory) func([]byte) (runtime.Object, error) {
	decoder := codecs.UniversalDecoder() // To the internal version, with defaults.
	return func(given []byte) (runtime.Object, error) {
		object, _, err := decoder.Decode(given, nil, nil)
		return object, err
	}
}
