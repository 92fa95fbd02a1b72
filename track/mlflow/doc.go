// Package mlflow is a client of MLflow servers, of any release since 2.0 and of
// services that speak its REST API, such as DAGsHub. It implements track.Store.
//
// [Options] and [FromEnvironment] take the variables that MLflow's own client
// takes. Credentials are sent to the tracking and registry hosts and nowhere
// else, whatever a redirect or an artifact root says.
//
// # Retries
//
// Requests that can be repeated are, after network failures and the statuses
// 408, 429, 502, 503 and 504, with growing pauses and as Retry-After says. A 500
// is repeated once: MLflow also answers some mistakes with it. What creates a
// run or a version is not idempotent for the server. Such a request carries a
// tag of its own, and after a failure that leaves open whether it was carried
// out, the client looks for the tag before it tries again.
//
// # What differs between servers
//
// A route that a server does not have is answered by a page that is not JSON;
// it becomes track.ErrUnsupported. That is how the client finds out that models
// are artifacts of their runs (before MLflow 3) or that there are no aliases
// (before 2.3). Numbers are read from JSON numbers, strings and the bare NaN that
// some servers send. Fields may be missing everywhere.
package mlflow
