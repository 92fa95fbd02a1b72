//go:build !linux

package main

import "os/exec"

// apart would keep servers and load on different processors.
func apart() bool { return false }

func startApart(c *exec.Cmd) error { return c.Start() }
