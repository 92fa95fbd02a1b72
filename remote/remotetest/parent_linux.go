package remotetest

import (
	"os/exec"
	"syscall"
)

// endWithParent makes the kernel end the process when the test is killed.
func endWithParent(c *exec.Cmd) {
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
