// Package output writes the files of a stage: a reader sees either the whole
// file or none of it.
package output
