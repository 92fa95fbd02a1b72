package lock

import (
	"bytes"
	"regexp"
	"strconv"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/flowrepro/flow/internal/yaml12"
)

var anchorName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`&id([0-9]{3,9})\b`) })

// cut divides the text of a document among f's stages. It reports false, with
// nothing changed, when the text isn't laid out as one block for each stage at
// an indentation of two, so that stages can't be replaced in it.
func (f *File) cut(doc *yaml12.Document, stages *pair) bool {
	data := doc.Data
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(bytes.Clone(data), '\n')
	}
	root := doc.Root
	if root == nil || root.Kind != yaml.MappingNode || root.Style&yaml.FlowStyle != 0 || root.Anchor != "" {
		return false
	}
	lines := lineStarts(data)
	at := func(n *yaml.Node, column int) (int, bool) {
		if n.Column != column || n.Line > len(lines) {
			return 0, false
		}
		return lines[n.Line-1], standsAt(data[lines[n.Line-1]:], n)
	}
	// The offsets of the top-level keys, then of the stages.
	var keys []int
	from, to := len(data), len(data)
	for i := 0; i < len(root.Content); i += 2 {
		pos, ok := at(root.Content[i], 1)
		if !ok || i > 0 && pos <= keys[len(keys)-1] {
			return false
		}
		keys = append(keys, pos)
		if stages != nil && root.Content[i] == stages.key {
			from = pos
		} else if from < pos && to == len(data) {
			to = pos
		}
	}
	if stages == nil {
		f.head = data
		return true
	}
	m := stages.value
	if len(f.blocks) == 0 {
		f.head, f.foot, f.listed = data[:from], data[to:], true
		return !aliasesLeave(root.Content, -1)
	}
	if m.Kind != yaml.MappingNode || m.Style&yaml.FlowStyle != 0 || m.Anchor != "" || m.Style&yaml.TaggedStyle != 0 {
		return false
	}
	starts := make([]int, 0, len(f.blocks)+1)
	for i := 0; i < len(m.Content); i += 2 {
		pos, ok := at(m.Content[i], 3)
		if !ok || pos <= from || i > 0 && pos <= starts[len(starts)-1] {
			return false
		}
		starts = append(starts, pos)
		if aliasesLeave(m.Content[i:i+2], 0) {
			return false
		}
	}
	if aliasesLeave(root.Content, indexOf(root.Content, m)) || len(starts) != len(f.blocks) {
		return false
	}
	starts = append(starts, to)
	f.head, f.open, f.foot, f.listed = data[:from], data[from:starts[0]], data[to:], true
	for i, b := range f.blocks {
		b.raw = data[starts[i]:starts[i+1]]
		if !hasBlockText(m.Content[2*i+1]) {
			n := len(bytes.TrimRight(b.raw, " \r\n"))
			n = tailStart(b.raw, n)
			b.raw, b.tail = b.raw[:n:n], b.raw[n:]
		}
	}
	return true
}

// lineStarts returns the offsets of the lines' first bytes.
func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// standsAt reports whether a line begins with a key: indentation, then its
// text. It fails where the parser counts lines in another way.
func standsAt(line []byte, n *yaml.Node) bool {
	if len(line) < n.Column || len(bytes.TrimLeft(line[:n.Column-1], " ")) > 0 {
		return false
	}
	line = line[n.Column-1:]
	switch {
	case n.Style&yaml.SingleQuotedStyle != 0:
		return line[0] == '\''
	case n.Style&yaml.DoubleQuotedStyle != 0:
		return line[0] == '"'
	case n.Style != 0 || n.Anchor != "" || n.Kind != yaml.ScalarNode:
		return false
	}
	return bytes.HasPrefix(line, []byte(n.Value))
}

// tailStart returns where the comments and blank lines at the end of a block
// begin; n is where its last line that isn't blank ends.
func tailStart(raw []byte, n int) int {
	for n > 0 {
		start := bytes.LastIndexByte(raw[:n], '\n') + 1
		text := bytes.TrimSpace(raw[start:n])
		if len(text) > 0 && text[0] != '#' {
			break
		}
		n = max(start-1, 0)
	}
	if i := bytes.IndexByte(raw[n:], '\n'); i >= 0 {
		return n + i + 1
	}
	return len(raw)
}

// hasBlockText reports whether a | or > scalar stands below n, whose text may
// end in lines that look like comments.
func hasBlockText(n *yaml.Node) bool {
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return true
	}
	for _, c := range n.Content {
		if hasBlockText(c) {
			return true
		}
	}
	return false
}

// aliasesLeave reports whether an alias below the nodes, without the one at
// index skip, refers to something that isn't below them.
func aliasesLeave(nodes []*yaml.Node, skip int) bool {
	inside := map[*yaml.Node]bool{}
	var aliases []*yaml.Node
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		if n.Anchor != "" {
			inside[n] = true
		}
		if n.Kind == yaml.AliasNode {
			aliases = append(aliases, n.Alias)
			return
		}
		for _, c := range n.Content {
			walk(c)
		}
	}
	for i, n := range nodes {
		if i != skip {
			walk(n)
		}
	}
	for _, a := range aliases {
		if !inside[a] {
			return true
		}
	}
	return false
}

func indexOf(nodes []*yaml.Node, n *yaml.Node) int {
	for i, c := range nodes {
		if c == n {
			return i
		}
	}
	return -1
}

// highestAnchor returns the highest number among anchors named as Emit names
// them.
func highestAnchor(data []byte) int {
	if !bytes.Contains(data, []byte("&id")) {
		return 0
	}
	highest := 0
	for _, m := range anchorName().FindAllSubmatch(data, -1) {
		if n, err := strconv.Atoi(string(m[1])); err == nil {
			highest = max(highest, n)
		}
	}
	return highest
}
