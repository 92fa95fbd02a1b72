package engine

import "os/exec"

func isolate(*exec.Cmd, bool) {}

// terminate kills: Windows has no polite signal for a process without a console.
func terminate(cmd *exec.Cmd, _ bool) { _ = cmd.Process.Kill() }

func kill(cmd *exec.Cmd, _ bool) { _ = cmd.Process.Kill() }

func exitCode(err *exec.ExitError) int { return err.ExitCode() }
