// Package stages says what a stage written in Go is.
//
// A pipeline runs a Go stage by naming it: `cmd: flow stage features`. The
// engine recognises the command and calls the function in its own process;
// any other tool that reads the same pipeline file starts the binary, which
// calls the same function.
//
// A stage function sees a [Call] and nothing else: its declared dependencies
// and outputs with where they are, its declared parameters, a logger and a
// progress reporter. It reads no globals and never changes the working
// directory, so that stages run side by side and a result depends only on
// what the pipeline file declares.
//
//	func train(ctx context.Context, c *stages.Call) error {
//		cfg := config{C: 1}
//		if err := c.Params.Decode("train", &cfg); err != nil {
//			return err
//		}
//		in, err := c.Dep("data/processed")
//		...
//	}
//
// [Params.Decode] fills a struct and refuses keys the struct does not know,
// so that a misspelt parameter is an error and not a silent default.
//
// A [Registry] holds the stages of a program. The version of a stage is part
// of the identity of its results: change it when the bytes it writes change.
package stages
