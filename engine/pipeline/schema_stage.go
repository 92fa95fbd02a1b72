package pipeline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/flowrepro/flow/internal/python"
)

func (c *checker) stages(n *node, p *at) {
	if n.kind != mapNode {
		hint := "a map from stage names to stages"
		if n.kind == scalarNode && n.value == nil {
			hint = "there is no stage below: remove the key or write \"stages: {}\""
		}
		c.fail(n, p, wantMap, hint)
		return
	}
	for i, k := range n.keys {
		kp := c.keyAt(p, k)
		switch name, ok := k.text(); {
		case !ok:
			c.fail(k, kp, wantStr, quoteHint(k))
		case name == "":
			c.fail(k, kp, "the stage has no name", "")
		default:
			c.definition(k, n.vals[i], kp)
		}
	}
}

// definition checks what stands below a stage's name.
func (c *checker) definition(name, n *node, p *at) {
	if n.kind == mapNode && (n.get("foreach") != nil || n.get("do") != nil) {
		c.foreach(name, n, p)
		return
	}
	c.stage(name, n, p)
}

func (c *checker) foreach(name, n *node, p *at) {
	for i, k := range n.keys {
		v := n.vals[i]
		kp := c.keyAt(p, k)
		switch k.value {
		case "foreach":
			if _, ok := v.text(); !ok && v.kind == scalarNode {
				c.fail(v, kp, wantDict, "foreach takes a list, a map or a ${...} that is one")
			}
		case "do":
			c.stage(k, v, kp)
		default:
			hint := didYouMean(python.Str(k.plain()), foreachKeys)
			if s, ok := k.text(); ok && slices.Contains(stageKeys, s) {
				hint = "move it below do: a foreach stage has only the keys foreach and do"
			}
			c.fail(k, kp, extraKey, hint)
		}
	}
	for _, k := range foreachKeys {
		if n.get(k) == nil {
			c.fail(name, p.in(k), missingKey, "foreach and do belong together")
		}
	}
}

// stage checks a stage; name is the key that leads to it.
func (c *checker) stage(name, n *node, p *at) {
	if n.kind != mapNode {
		c.fail(n, p, wantMap, hintNoStage)
		return
	}
	for i, k := range n.keys {
		v := n.vals[i]
		kp := c.keyAt(p, k)
		switch k.value {
		case "cmd":
			c.cmd(v, kp)
		case "wdir", "desc":
			c.str(v, kp)
		case "deps":
			c.strings(v, kp)
		case "params":
			c.each(v, kp, c.param)
		case "outs", "metrics":
			c.each(v, kp, c.output)
		case "plots":
			c.each(v, kp, c.plot)
		case "frozen", "always_changed":
			c.bool(v, kp)
		case "meta":
		case "vars":
			c.vars(v, kp)
		case "matrix":
			c.named(v, kp, c.axis)
		default:
			c.unknown(k, kp, stageKeys)
		}
	}
	if n.get("cmd") == nil {
		c.fail(name, p.in("cmd"), missingKey, hintNoStage)
	}
}

func (c *checker) cmd(n *node, p *at) {
	switch {
	case n.kind == mapNode, n.kind == scalarNode && n.typeName() != "str":
		c.fail(n, p, wantStr, quoteHint(n))
	case n.kind == listNode:
		c.each(n, p, c.str)
	}
}

func (c *checker) axis(n *node, p *at) {
	switch s, ok := n.text(); {
	case ok && !strings.Contains(s, "${"), n.kind == mapNode:
		c.fail(n, p, wantList, "a matrix value is a list or a ${...} that is one")
	case !ok && n.kind == scalarNode:
		c.fail(n, p, wantStr, "a matrix value is a list or a ${...} that is one")
	}
}

func (c *checker) vars(n *node, p *at) {
	c.each(n, p, func(n *node, p *at) {
		if _, ok := n.text(); !ok && n.kind != mapNode {
			c.fail(n, p, wantDict, "an entry is a file name or a map of values")
		}
	})
}

func (c *checker) param(n *node, p *at) {
	if _, ok := n.text(); ok {
		return
	}
	if n.kind != mapNode {
		c.fail(n, p, wantStr, quoteHint(n))
		return
	}
	for i, k := range n.keys {
		kp := c.keyAt(p, k)
		if _, ok := k.text(); !ok {
			c.fail(k, kp, wantStr, quoteHint(k))
			continue
		}
		v := n.vals[i]
		switch {
		case v.kind == listNode:
			for j, e := range v.vals {
				if e.kind != scalarNode || e.value == nil {
					c.fail(e, kp.index(j), wantStr, "a parameter is named by its dotted key: a.b.c")
				}
			}
		case v.truthy():
			c.fail(v, kp, fmt.Sprintf("Expected list of params for custom params file '%s', got '%s'.",
				k.value, v.typeName()), "list the keys, or nothing for the whole file")
		}
	}
}

func (c *checker) output(n *node, p *at) {
	c.flagged(n, p, func(v *node, p *at) { c.flags(v, p, false) })
}

func (c *checker) plot(n *node, p *at) {
	c.flagged(n, p, func(v *node, p *at) { c.flags(v, p, true) })
}

// flagged checks a path, or a map from paths to flags.
func (c *checker) flagged(n *node, p *at, check func(*node, *at)) {
	if _, ok := n.text(); ok {
		return
	}
	if n.kind != mapNode {
		c.fail(n, p, wantStr, quoteHint(n))
		return
	}
	c.named(n, p, check)
}

func (c *checker) flags(n *node, p *at, plot bool) {
	if n.kind == listNode && plot {
		c.fail(n, p, fmt.Sprintf("Expected dict for '%s', got: 'list'", p.key), "")
		return
	}
	if n.kind != mapNode {
		hint := ""
		if n.kind == scalarNode && n.value == nil {
			hint = "remove the ':' or indent the flags below the path further"
		}
		c.fail(n, p, wantMap, hint)
		return
	}
	for i, k := range n.keys {
		v := n.vals[i]
		kp := c.keyAt(p, k)
		switch k.value {
		case "cache", "persist", "push", "checkpoint":
			c.bool(v, kp)
			continue
		case "remote", "desc", "type":
			c.str(v, kp)
			continue
		case "labels":
			c.strings(v, kp)
			continue
		case "meta":
			continue
		}
		known := outputKeys
		if plot {
			known = slices.Concat(outputKeys, plotKeys)
			switch k.value {
			case "template", "x", "y", "x_label", "y_label", "title":
				c.str(v, kp)
				continue
			case "header":
				c.bool(v, kp)
				continue
			}
		}
		c.unknown(k, kp, known)
	}
}

// topPlot checks an entry of the top-level plots.
func (c *checker) topPlot(n *node, p *at) {
	if _, ok := n.text(); ok {
		return
	}
	if n.kind != mapNode {
		c.fail(n, p, wantStr, quoteHint(n))
		return
	}
	if len(n.keys) == 0 {
		c.fail(n, p, missingKey, "an entry is a path, or a name and its definition")
		return
	}
	c.named(n, p, c.plotDefinition)
}

func (c *checker) plotDefinition(n *node, p *at) {
	if n.kind == scalarNode && n.value == nil {
		return
	}
	if n.kind != mapNode {
		c.fail(n, p, wantMap, "")
		return
	}
	for i, k := range n.keys {
		v := n.vals[i]
		kp := c.keyAt(p, k)
		switch k.value {
		case "x":
			if v.kind == mapNode {
				c.named(v, kp, c.str)
			} else {
				c.str(v, kp)
			}
		case "y":
			if v.kind == mapNode {
				c.named(v, kp, c.strOrList)
			} else {
				c.strOrList(v, kp)
			}
		case "x_label", "y_label", "title", "template":
			c.str(v, kp)
		default:
			c.unknown(k, kp, plotDefKeys)
		}
	}
}

func (c *checker) strOrList(n *node, p *at) {
	if n.kind == listNode {
		c.each(n, p, c.str)
		return
	}
	c.str(n, p)
}

func (c *checker) artifact(n *node, p *at) {
	if n.kind != mapNode {
		c.fail(n, p, wantMap, "an artifact needs at least a path")
		return
	}
	for i, k := range n.keys {
		v := n.vals[i]
		kp := c.keyAt(p, k)
		switch k.value {
		case "path", "desc", "type":
			c.str(v, kp)
		case "labels":
			c.strings(v, kp)
		case "meta":
		default:
			c.unknown(k, kp, artifactKeys)
		}
	}
	if n.get("path") == nil {
		c.fail(n, p.in("path"), missingKey, "an artifact needs at least a path")
	}
}
