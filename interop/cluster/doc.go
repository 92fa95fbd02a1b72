// Package cluster holds the tests of the manifests in the directories k8s and
// monitoring: against a real Kubernetes API server, which validates them without
// storing them; by kubeconform, with schemas made of what that server says about
// its kinds; and by running what the retraining job would run. It has the build
// tag interop.
//
// FLOW_TEST_CLUSTER names the directory of etcd, kube-apiserver, kustomize,
// kubeconform and the definitions of Prometheus' operator, which .ci/cluster
// fills. FLOW_TEST_FLOW is flow's executable, built when it is unset.
package cluster
