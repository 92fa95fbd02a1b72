// Package crds names the Go types that the definitions of Prometheus' operator
// are generated from, so that go.mod pins them:
//
//	go -C tools/crds tool controller-gen crd paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1 output:crd:dir=DIRECTORY
package crds

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
