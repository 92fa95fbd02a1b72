// Package yaml12 reads, writes and edits YAML the way DVC does.
//
// DVC reads with the YAML 1.2 rules of ruamel.yaml: yes and on are strings,
// 010 is ten, 1e-5 is a float. General YAML libraries differ in each of these,
// so only their tokenizer and node tree are used here; every scalar is typed
// by Scalar.
//
//	Parse    text to a tree with positions; located syntax errors
//	Value    tree to values: aliases and << resolved, bombs refused
//	Emit     values to text, byte for byte as DVC writes lock files
//	Set      change one place of a text and leave every other byte alone
//	Delete   remove one entry together with the comment lines that belong to it
//
// # Values
//
// A value is nil, bool, int64, *big.Int, float64, string, Timestamp, []any or
// *Map. Equal compares as Python does (1 == 1.0 == true), Identical by type.
//
// # Errors
//
// Everything wrong with a text is an *Error with file, line and column, and
// all that is wrong with it comes together as Errors. Excerpt shows the place.
// No function panics on input, and none trusts it with memory: nesting and
// alias expansion are limited.
//
// Documents are read-only after Parse and safe for concurrent use. Values are
// not shared between calls and belong to the caller.
package yaml12
