//go:build unix && !linux

package engine

import "syscall"

// killWithParent does nothing: only Linux can tie a child's life to its parent's.
func killWithParent(*syscall.SysProcAttr) {}
