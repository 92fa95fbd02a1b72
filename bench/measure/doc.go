// Package measure times whole processes for the benchmark programs: wall time,
// CPU time and peak memory as the operating system accounts for them, several
// runs each, peers in turn so that a machine that slows down slows all of them.
package measure
