package examples

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/flowrepro/flow/cmd"
	"github.com/flowrepro/flow/stages/builtin"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"flow": func() { cmd.Main(builtin.Stages()) }})
}

// TestExamples runs the scripts of testdata in a copy of the project that has
// the pipeline, the examples and the shipped reviews.
func TestExamples(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("MLFLOW_TRACKING_URI", "")
			reviews, err := os.ReadFile(filepath.Join("..", "data", "reviews.csv"))
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(e.WorkDir, "data"), 0o777); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "data", "reviews.csv"), reviews, 0o666); err != nil {
				return err
			}
			for _, name := range []string{"dvc.yaml", "params.yaml", "configurations/bag_of_words.yaml"} {
				data, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(name)))
				if err != nil {
					return err
				}
				to := filepath.Join(e.WorkDir, filepath.FromSlash(name))
				if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
					return err
				}
				if err := os.WriteFile(to, data, 0o666); err != nil {
					return err
				}
			}
			files, err := filepath.Glob("exp*/*.yaml")
			if err != nil {
				return err
			}
			for _, f := range files {
				data, err := os.ReadFile(f)
				if err != nil {
					return err
				}
				to := filepath.Join(e.WorkDir, "examples", f)
				if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
					return err
				}
				if err := os.WriteFile(to, data, 0o666); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
