//go:build unix

package engine

import (
	"os/exec"
	"syscall"
)

// isolate gives a command that runs beside others a process group, so that the
// terminal's Ctrl-C reaches flow alone and flow can stop the whole group.
func isolate(cmd *exec.Cmd, alone bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: !alone}
	killWithParent(cmd.SysProcAttr)
}

func terminate(cmd *exec.Cmd, alone bool) { signal(cmd, alone, syscall.SIGTERM) }

func kill(cmd *exec.Cmd, alone bool) { signal(cmd, alone, syscall.SIGKILL) }

func signal(cmd *exec.Cmd, alone bool, sig syscall.Signal) {
	pid := cmd.Process.Pid
	if !alone {
		pid = -pid
	}
	// The process may be gone already: then there is nothing to stop.
	_ = syscall.Kill(pid, sig)
}

// exitCode is the command's code, or minus the signal that ended it.
func exitCode(err *exec.ExitError) int {
	if ws, ok := err.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return -int(ws.Signal())
	}
	return err.ExitCode()
}
