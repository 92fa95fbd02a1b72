package cmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestInterrupted sends the program the signals of Ctrl-C: the first asks the
// running commands to stop, the second kills those that do not listen. What had
// finished stays recorded, and the next run takes up from there.
func TestInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals")
	}
	for _, c := range []struct{ name, command, says string }{
		{"once", "trap 'echo told to stop; exit 1' TERM; : > begun; sleep 60 & wait", "told to stop"},
		{"twice", "trap '' TERM; : > begun; while :; do sleep 0.1; done", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			pipeline := "stages:\n  first: {cmd: 'echo 1 > first', outs: [first]}\n" +
				"  second:\n    cmd: |\n      " + c.command + "\n    deps: [first]\n    outs: [second]\n"
			if err := os.WriteFile(filepath.Join(dir, "dvc.yaml"), []byte(pipeline), 0o666); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			flow := exec.CommandContext(ctx, "flow", "repro", "-j", "2")
			flow.Dir = dir
			var out bytes.Buffer
			flow.Stdout, flow.Stderr = &out, &out
			if err := flow.Start(); err != nil {
				t.Fatal(err)
			}
			for begun := false; !begun; time.Sleep(10 * time.Millisecond) {
				_, err := os.Stat(filepath.Join(dir, "begun"))
				begun = err == nil
				if ctx.Err() != nil {
					t.Fatal("the second stage never began")
				}
			}
			interrupt := func() {
				if err := flow.Process.Signal(os.Interrupt); err != nil {
					t.Error(err)
				}
			}
			interrupt()
			if c.says == "" {
				time.Sleep(200 * time.Millisecond)
				interrupt()
			}
			var exit *exec.ExitError
			if err := flow.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 252 {
				t.Errorf("ended with %v, want exit status 252\n%s", err, out.String())
			}
			if !strings.Contains(out.String(), c.says) {
				t.Errorf("no %q in the output:\n%s", c.says, out.String())
			}
			again := exec.CommandContext(ctx, "flow", "repro", "--dry")
			again.Dir = dir
			text, err := again.CombinedOutput()
			if err != nil || !strings.Contains(string(text), "Stage 'first' didn't change, skipping") ||
				!strings.Contains(string(text), "Running stage 'second':") {
				t.Errorf("the next run would: %v\n%s", err, text)
			}
		})
	}
}
