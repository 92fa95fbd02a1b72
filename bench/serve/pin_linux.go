package main

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// apart gives servers the first processor and keeps the load on the others, so that
// a request never waits for a processor that the load has. It reports whether there
// are enough of them.
func apart() bool {
	var all unix.CPUSet
	if unix.SchedGetaffinity(0, &all) != nil || all.Count() < 2 {
		return false
	}
	rest := all
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			serverCPU.Zero()
			serverCPU.Set(cpu)
			rest.Clear(cpu)
			break
		}
	}
	// Threads that come later have the processors of those that make them.
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return false
	}
	for _, t := range tasks {
		if id, err := strconv.Atoi(t.Name()); err != nil || unix.SchedSetaffinity(id, &rest) != nil {
			return false
		}
	}
	runtime.GOMAXPROCS(rest.Count())
	return true
}

var serverCPU unix.CPUSet

// startApart starts a server, on the servers' processor if there is one.
func startApart(c *exec.Cmd) error {
	if serverCPU.Count() == 0 {
		return c.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var mine unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		return err
	}
	if err := unix.SchedSetaffinity(0, &serverCPU); err != nil {
		return err
	}
	err := c.Start()
	if back := unix.SchedSetaffinity(0, &mine); err == nil {
		err = back
	}
	return err
}
