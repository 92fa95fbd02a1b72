package engine

import "syscall"

// killWithParent makes the kernel kill the command when flow dies without
// being able to: an orphan would go on writing outputs under the next run.
func killWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
