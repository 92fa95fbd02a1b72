// Package serve answers requests for predictions over HTTP with a model of
// stages/model.
//
// A [Server] holds the model behind an atomic pointer. A request takes the
// pointer once, so that all it says is of one model, whatever is loaded in the
// meantime. A follower asks the [Source] for what its address means, now and
// then, on SIGHUP and on request; a model that is another is fetched, verified,
// warmed and only then swapped in. A model that cannot be had or loaded changes
// nothing: the last good one answers, and metrics and status say why. What was
// last good is remembered in a file, so that a server starts while its registry
// is away.
//
// The same predictions are given in several dialects: a page with a form at /
// and /predict, /api/v1, MLflow's /invocations, and the Open Inference Protocol
// at /v2. routes.go lists all routes; openapi.json describes them.
//
// Every request has limits: on its headers, its body, its texts, the time and
// the number of others at the same time. Logs have sizes and durations and
// never a text.
//
// The server also compares what it sees with the statistics of the texts that
// the model was made for (drift.go), and can try a second model on a share of
// the requests or beside all of them (split.go).
package serve
