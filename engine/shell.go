package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// grace is how long a command that was told to stop may take before it is
// killed.
const grace = 10 * time.Second

// commandError is a command that failed.
type commandError struct {
	cmd  string
	code int
	err  error
}

func (c *commandError) Error() string {
	if c.err != nil {
		return fmt.Sprintf("failed to run: %s: %v", c.cmd, c.err)
	}
	return fmt.Sprintf("failed to run: %s, exited with %d", c.cmd, c.code)
}

func (c *commandError) Unwrap() error { return c.err }

// ExitCode returns what the command exited with.
func (c *commandError) ExitCode() int { return c.code }

// shell runs the stage's commands one after the other and stops at the first
// failure. Commands that run side by side get a process group of their own and
// no standard input; one that runs alone shares the terminal.
func (e *Engine) shell(ctx context.Context, n *node, alone bool, out io.Writer) error {
	// The kernel ties a child to the thread that started it (see killWithParent).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wdir := e.abs(n.Wdir)
	if fi, err := os.Stat(wdir); err != nil || !fi.IsDir() {
		return noSuchFile(wdir)
	}
	for _, line := range n.Cmd.Steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		e.emit(Event{Kind: CommandShown, Stage: n.name, Index: n.place, Text: line})
		if err := e.shellLine(ctx, n, wdir, line, alone, out); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) shellLine(ctx context.Context, n *node, wdir, line string, alone bool, out io.Writer) error {
	cmd := shellCommand(line)
	cmd.Dir = wdir
	cmd.Env = append(os.Environ(), "PWD="+wdir, "DVC_STAGE="+n.Address("."), "FLOW_STAGE="+n.Address("."))
	if os.Getenv("DVC_ROOT") == "" {
		cmd.Env = append(cmd.Env, "DVC_ROOT="+e.opt.Project.Root)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if alone {
		cmd.Stdin = e.opt.Stdin
	}
	isolate(cmd, alone)
	// A daemon that the command left behind may hold its output open for ever.
	cmd.WaitDelay = 2 * time.Second
	if err := cmd.Start(); err != nil {
		return &commandError{cmd: line, err: err}
	}
	done := make(chan struct{})
	go e.stopOnCancel(ctx, cmd, alone, done)
	err := cmd.Wait()
	close(done)
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &exit):
		return &commandError{cmd: line, code: exitCode(exit)}
	default:
		return &commandError{cmd: line, err: err}
	}
}

// stopOnCancel tells the command to stop when ctx is done, and kills it when it
// does not, or at once when the user insists.
func (e *Engine) stopOnCancel(ctx context.Context, cmd *exec.Cmd, alone bool, done <-chan struct{}) {
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	terminate(cmd, alone)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-done:
		return
	case <-timer.C:
	case <-e.opt.Interrupted:
	}
	kill(cmd, alone)
}

// shellCommand makes the command for one line: $SHELL, or the system's shell,
// without the user's start-up files, which are not part of the pipeline.
func shellCommand(line string) *exec.Cmd {
	if runtime.GOOS == "windows" {
		return exec.Command("cmd.exe", "/c", line)
	}
	sh := os.Getenv("SHELL")
	if sh == "" {
		sh = "/bin/sh"
	}
	var args []string
	switch strings.TrimSuffix(filepath.Base(sh), ".exe") {
	case "bash":
		args = []string{"--noprofile", "--norc"}
	case "zsh":
		args = []string{"--no-rcs"}
	case "fish":
		args = []string{"--no-config"}
	}
	return exec.Command(sh, append(args, "-c", line)...)
}
