// Package backend opens the tracking store that the environment asks for: the
// server at MLFLOW_TRACKING_URI, or else the embedded store of a project.
//
// Opening costs nothing: neither a file nor a connection is opened before it is
// needed.
package backend
