package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestDocumentedProgram builds the program of stages.md and runs the pipeline
// that the page shows.
func TestDocumentedProgram(t *testing.T) {
	page, err := os.ReadFile("../stages.md")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(program), "\n") // the page leaves out the package comment
	if shown := block(t, string(page), "go"); shown != code {
		t.Errorf("the program in stages.md is not main.go:\n%s", shown)
	}

	dir := t.TempDir()
	flow := filepath.Join(dir, "bin", "flow")
	if runtime.GOOS == "windows" {
		flow += ".exe"
	}
	run(t, ".", "go", "build", "-o", flow, ".")
	write(t, filepath.Join(dir, "dvc.yaml"), block(t, string(page), "yaml"))
	write(t, filepath.Join(dir, "quiet.txt"), "a whisper\n")
	if out := run(t, dir, flow, "repro"); !strings.Contains(out, "Running stage 'shout':") {
		t.Errorf("first run printed:\n%s", out)
	}
	loud, err := os.ReadFile(filepath.Join(dir, "loud.txt"))
	if err != nil || string(loud) != "A WHISPER\n" {
		t.Errorf("loud.txt = %q, %v", loud, err)
	}
	if out := run(t, dir, flow, "repro"); !strings.Contains(out, "Data and pipelines are up to date.") {
		t.Errorf("second run printed:\n%s", out)
	}
}

// block returns the first fenced block of the language in a page.
func block(t *testing.T, page, language string) string {
	t.Helper()
	m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no %s block in the page", language)
	}
	return m[1]
}

func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
