package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowrepro/flow/internal/yaml12"
)

// project writes files below a new directory and returns it.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		abs := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(abs, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// load loads a project that must be without faults.
func load(t testing.TB, files map[string]string) *Set {
	t.Helper()
	set, err := Load(Options{Root: project(t, files)})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return set
}

// pipe loads one dvc.yaml and params.yaml.
func pipe(t testing.TB, pipeline, params string) *Set {
	t.Helper()
	return load(t, map[string]string{"dvc.yaml": pipeline, "params.yaml": params})
}

// faults loads a project that must have faults.
func faults(t testing.TB, files map[string]string) yaml12.Errors {
	t.Helper()
	_, err := Load(Options{Root: project(t, files)})
	if err == nil {
		t.Fatal("Load: no error")
	}
	var list yaml12.Errors
	if !errors.As(err, &list) {
		t.Fatalf("Load: error is %T, not yaml12.Errors", err)
	}
	return list
}

// names are those of a set's stages.
func names(stages []*Stage) []string {
	list := make([]string, len(stages))
	for i, s := range stages {
		if list[i] = s.Name; s.IsData() {
			list[i] = s.File
		}
	}
	return list
}

// cmd is the command of the only stage, or of the first one.
func cmd(t testing.TB, s *Set) any {
	t.Helper()
	if len(s.Stages) == 0 {
		t.Fatal("no stages")
	}
	return s.Stages[0].Cmd.Value()
}

// stage indents the fields of one stage named A.
func stage(fields string) string {
	return "stages:\n  A:\n    " + strings.ReplaceAll(strings.TrimSpace(fields), "\n", "\n    ") + "\n"
}
