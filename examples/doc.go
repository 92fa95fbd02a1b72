// Package examples holds projects to copy: each directory is a project of its
// own, which runs on the shipped reviews by `flow repro` in it. The package has
// nothing but the test that runs them.
package examples
