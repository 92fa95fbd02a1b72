package builtin

import (
	"context"
	"io"
	"path/filepath"
	"sync/atomic"

	"github.com/flowrepro/flow/stages"
	"github.com/flowrepro/flow/stages/dataset"
	"github.com/flowrepro/flow/stages/internal/output"
)

// Stages returns the built-in stages.
func Stages() *stages.Registry {
	return stages.NewRegistry(
		stages.Stage{
			Name: "data_ingestion", Version: "1", Run: ingest,
			Doc: "read labelled reviews and split them into training and test data",
		},
		stages.Stage{
			Name: "data_preprocessing", Version: "2", Run: preprocess,
			Doc: "clean the reviews",
		},
		stages.Stage{
			Name: "feature_engineering", Version: "2", Run: engineer,
			Doc: "learn the vocabulary and turn reviews into sparse rows",
		},
		stages.Stage{
			Name: "model_building", Version: "5", Run: build,
			Doc: "train a logistic regression",
		},
		stages.Stage{
			Name: "model_selection", Version: "3", Run: selectModel,
			Doc: "cross-validate vectorizers and classifiers and train the best",
		},
		stages.Stage{
			Name: "model_evaluation", Version: "3", Run: evaluate,
			Doc: "measure the model on the test data, draw the results and log them",
		},
		stages.Stage{
			Name: "model_registration", Version: "1", Run: register,
			Doc: "register the evaluated model and put it in Staging",
		},
	)
}

// classes name the labels 0 and 1.
var classes = [2]string{"negative", "positive"}

// The files inside the pipeline's directories.
const (
	trainFile    = "train.csv"
	testFile     = "test.csv"
	cleaningFile = "cleaning.json"

	vectorizerFile = "vectorizer.json"

	trainMatrix = "train.npz"
	testMatrix  = "test.npz"
	trainLabels = "train_labels.npy"
	testLabels  = "test_labels.npy"
)

// counter reports progress of a known number of reviews from several
// goroutines.
type counter struct {
	call        *stages.Call
	done, total atomic.Int64
}

func (c *counter) expect(n int) { c.total.Add(int64(n)) }

func (c *counter) add(n int) { c.call.Progress(c.done.Add(int64(n)), c.total.Load(), "reviews") }

// readReviews reads a CSV file, reporting bytes.
func readReviews(ctx context.Context, c *stages.Call, path string) ([]dataset.Row, dataset.Stats, error) {
	return dataset.ReadFile(ctx, path, func(done, total int64) { c.Progress(done, total, "bytes") })
}

// writeReviews writes a CSV file.
func writeReviews(ctx context.Context, dir, name string, rows []dataset.Row) error {
	return output.File(filepath.Join(dir, name), func(w io.Writer) error { return dataset.Write(ctx, w, rows) })
}
