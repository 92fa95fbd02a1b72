//go:build !linux

package model

// preferHuge does nothing: only Linux is asked for huge pages.
func preferHuge([]byte) {}
