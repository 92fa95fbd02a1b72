// Package python writes values as Python writes them. DVC is a Python program,
// and what it hashes, prints and substitutes are Python's text forms: str of a
// list, repr of a float, json.dumps of a lock entry, shlex.quote of a path.
//
// Values are those of package yaml12, and for convenience int,
// map[string]any, []string and map[string]string. All functions are pure and
// safe for concurrent use.
package python
