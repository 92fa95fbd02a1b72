package pipeline

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flowrepro/flow/internal/python"
	"github.com/flowrepro/flow/internal/yaml12"
)

// The keys that each part of a file may have, in the order hints name them.
var (
	topKeys      = []string{"stages", "vars", "params", "metrics", "plots", "artifacts", "datasets"}
	stageKeys    = []string{"cmd", "wdir", "deps", "params", "outs", "metrics", "plots", "frozen", "always_changed", "desc", "meta", "vars", "matrix"}
	outputKeys   = []string{"cache", "persist", "push", "remote", "desc", "type", "labels", "meta", "checkpoint"}
	plotKeys     = []string{"template", "x", "y", "x_label", "y_label", "title", "header"}
	plotDefKeys  = []string{"x", "y", "x_label", "y_label", "title", "template"}
	artifactKeys = []string{"path", "desc", "type", "labels", "meta"}
	foreachKeys  = []string{"foreach", "do"}
)

// The reasons, in DVC's words.
const (
	extraKey    = "extra keys not allowed"
	missingKey  = "required key not provided"
	wantList    = "expected a list"
	wantMap     = "expected a dictionary"
	wantStr     = "expected str"
	wantBool    = "expected bool"
	wantDict    = "expected dict"
	hintFlags   = "the shape of the file is checked before templates are replaced: write the value itself"
	hintNoStage = "a stage needs at least a cmd"
)

// at is a place in the document during checking: a linked list, so that paths
// cost nothing as long as nothing is wrong.
type at struct {
	up  *at
	key string
}

func (a *at) path() []string {
	var p []string
	for ; a != nil; a = a.up {
		p = append(p, a.key)
	}
	slices.Reverse(p)
	return p
}

func (a *at) in(key string) *at { return &at{a, key} }

func (a *at) index(i int) *at { return &at{a, strconv.Itoa(i)} }

// checker reports everything about a file's shape that DVC would refuse.
type checker struct {
	file string
	errs yaml12.Errors
}

func (c *checker) fail(n *node, p *at, msg, hint string) {
	c.errs = append(c.errs, &yaml12.Error{
		Kind: yaml12.Validation, File: c.file, Line: n.line, Column: n.col,
		Msg: msg, Hint_: hint, Path: p.path(),
	})
}

// checkFile checks a whole dvc.yaml.
func checkFile(file string, root *node) yaml12.Errors {
	c := checker{file: file}
	if root.kind != mapNode {
		c.fail(root, nil, wantMap, "a pipeline file is a map with keys such as stages and params")
		return c.errs
	}
	for i, k := range root.keys {
		v := root.vals[i]
		p := c.keyAt(nil, k)
		switch k.value {
		case "stages":
			c.stages(v, p)
		case "vars":
			c.vars(v, p)
		case "params", "metrics":
			c.strings(v, p)
		case "plots":
			c.each(v, p, c.topPlot)
		case "artifacts":
			c.named(v, p, c.artifact)
		case "datasets":
		default:
			c.unknown(k, p, topKeys)
		}
	}
	return c.errs
}

// keyAt is the place of an entry.
func (c *checker) keyAt(p *at, k *node) *at { return p.in(python.Str(k.plain())) }

func (c *checker) unknown(k *node, p *at, known []string) {
	hint := ""
	if s, ok := k.text(); ok {
		if hint = didYouMean(s, known); hint == "" {
			if other, ok := synonyms(s); ok && slices.Contains(known, other) {
				hint = "did you mean " + strconv.Quote(other) + "?"
			} else {
				hint = "allowed here: " + strings.Join(known, ", ")
			}
		}
	}
	c.fail(k, p, extraKey, hint)
}

// synonyms returns the key that people mean by another word.
func synonyms(s string) (string, bool) {
	switch strings.ToLower(s) {
	case "command", "run", "script":
		return "cmd", true
	case "workdir", "working_dir", "cwd":
		return "wdir", true
	case "dependencies", "inputs", "in":
		return "deps", true
	case "outputs", "out":
		return "outs", true
	case "description":
		return "desc", true
	case "locked":
		return "frozen", true
	}
	return "", false
}

// strings checks a list of strings.
func (c *checker) strings(n *node, p *at) {
	c.each(n, p, c.str)
}

func (c *checker) each(n *node, p *at, check func(*node, *at)) {
	if n.kind != listNode {
		c.fail(n, p, wantList, listHint(n))
		return
	}
	for i, v := range n.vals {
		check(v, p.index(i))
	}
}

func listHint(n *node) string {
	switch s, ok := n.text(); {
	case ok && strings.Contains(s, "${"):
		return hintFlags
	case ok:
		return "write it as a list: \"- " + s + "\""
	case n.kind == mapNode:
		return "put \"- \" before each entry"
	case n.value == nil:
		return "remove the key or give it a list"
	}
	return ""
}

func (c *checker) str(n *node, p *at) {
	if _, ok := n.text(); !ok {
		c.fail(n, p, wantStr, quoteHint(n))
	}
}

func quoteHint(n *node) string {
	switch {
	case n.kind != scalarNode:
		return ""
	case n.value == nil:
		return "a value is missing"
	}
	return "write it in quotes to make it text"
}

func (c *checker) bool(n *node, p *at) {
	if _, ok := n.value.(bool); ok && n.kind == scalarNode {
		return
	}
	hint := "write true or false"
	if s, ok := n.text(); ok && strings.Contains(s, "${") {
		hint = hintFlags
	}
	c.fail(n, p, wantBool, hint)
}

// named checks a map from names to something.
func (c *checker) named(n *node, p *at, check func(*node, *at)) {
	if n.kind != mapNode {
		hint := ""
		if n.kind == scalarNode && n.value == nil {
			hint = "remove the key or give it a map"
		}
		c.fail(n, p, wantMap, hint)
		return
	}
	for i, k := range n.keys {
		kp := c.keyAt(p, k)
		if _, ok := k.text(); !ok {
			c.fail(k, kp, wantStr, quoteHint(k))
			continue
		}
		check(n.vals[i], kp)
	}
}
