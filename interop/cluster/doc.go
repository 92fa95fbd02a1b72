// Package cluster holds the test of the manifests in the directory k8s against a
// real Kubernetes API server, which validates them without storing them. It has
// the build tag interop.
//
// FLOW_TEST_CLUSTER names the directory of etcd, kube-apiserver and kustomize,
// which .ci/cluster fills.
package cluster
