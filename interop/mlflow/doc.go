// Package mlflow holds the tests of flow's tracking beside a real MLflow: its
// server answers the same contract as the embedded store, and MLflow in Python
// opens, migrates, reads and writes the embedded store's file.
//
// The tests have the build tag interop. FLOW_TEST_PYTHON names a Python that has
// mlflow; without it they are skipped, but fail where CI=true.
package mlflow
