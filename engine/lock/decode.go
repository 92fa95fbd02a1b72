package lock

import (
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/flowrepro/flow/internal/yaml12"
)

// decoder checks and reads the nodes of a document, collecting faults.
type decoder struct {
	doc  *yaml12.Document
	errs yaml12.Errors
	path []string
}

// fail records a fault at a node. The headline is DVC's.
func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	e := &yaml12.Error{
		Kind: yaml12.Validation, File: d.doc.File,
		Msg:  fmt.Sprintf("'%s' validation failed: ", d.doc.File) + fmt.Sprintf(format, args...),
		Path: append([]string(nil), d.path...),
	}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
	}
	d.errs = append(d.errs, e)
}

// at runs f with a step added to the path of errors.
func (d *decoder) at(step string, f func()) {
	d.path = append(d.path, step)
	f()
	d.path = d.path[:len(d.path)-1]
}

func (d *decoder) value(n *yaml.Node) any {
	v, err := d.doc.Value(n)
	if err != nil {
		d.join(err)
	}
	return v
}

func (d *decoder) join(err error) {
	if es, ok := err.(yaml12.Errors); ok { //nolint:errorlint // Value returns nothing else
		d.errs = append(d.errs, es...)
		return
	}
	d.fail(nil, "%v", err)
}

// follow returns what an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for i := 0; i < 100 && n != nil && n.Kind == yaml.AliasNode; i++ {
		n = n.Alias
	}
	return n
}

// pair is an entry of a mapping with a text key.
type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the entries of a mapping. Merge keys are not resolved: a
// recorded file has none, so they are faults like any key that is no text.
func (d *decoder) pairs(n *yaml.Node, what string) ([]pair, bool) {
	m := follow(n)
	if m == nil || m.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a map", what)
		return nil, false
	}
	list := make([]pair, 0, len(m.Content)/2)
	for i := 0; i+1 < len(m.Content); i += 2 {
		name, ok := d.value(m.Content[i]).(string)
		if !ok {
			d.fail(m.Content[i], "key %q must be text; quote it", m.Content[i].Value)
			continue
		}
		list = append(list, pair{name, m.Content[i], m.Content[i+1]})
	}
	return list, true
}

func (d *decoder) list(n *yaml.Node, what string) []*yaml.Node {
	l := follow(n)
	if l == nil || l.Kind != yaml.SequenceNode {
		d.fail(n, "%s must be a list", what)
		return nil
	}
	return l.Content
}

func (d *decoder) text(n *yaml.Node, what string) string {
	s, ok := d.value(n).(string)
	if !ok {
		d.fail(n, "%s must be text", what)
	}
	return s
}

func (d *decoder) boolean(n *yaml.Node, what string) bool {
	b, ok := d.value(n).(bool)
	if !ok {
		d.fail(n, "%s must be true or false", what)
	}
	return b
}

func (d *decoder) count(n *yaml.Node, what string) int64 {
	i, ok := d.value(n).(int64)
	if !ok || i < 0 {
		d.fail(n, "%s must be a whole number, not negative", what)
	}
	return i
}

// digest returns the text of a digest whether it is quoted or not, "" for
// null.
func (d *decoder) digest(n *yaml.Node, what string) string {
	n = follow(n)
	if n == nil || n.Kind != yaml.ScalarNode {
		d.fail(n, "%s must be text", what)
		return ""
	}
	if d.value(n) == nil || n.Value == "" {
		return ""
	}
	if len(n.Value) < 3 {
		d.fail(n, "%s %q is too short", what, n.Value)
	}
	return strings.ToLower(n.Value)
}

// stage reads one entry below stages.
func (d *decoder) stage(n *yaml.Node) *Stage {
	pairs, ok := d.pairs(n, "a stage")
	if !ok {
		return nil
	}
	s := new(Stage)
	hasCmd := false
	for _, p := range pairs {
		d.at(p.name, func() {
			switch p.name {
			case "cmd":
				hasCmd = true
				switch v := d.value(p.value).(type) {
				case string, []any:
					s.Cmd = v
				default:
					d.fail(p.value, "cmd must be text or a list")
				}
			case "version":
				s.Version = d.text(p.value, "version")
			case "deps":
				s.Deps = d.entries(p.value)
			case "outs":
				s.Outs = d.entries(p.value)
			case "params":
				s.Params = d.params(p.value)
			default:
				d.fail(p.key, "unknown key %q", p.name)
			}
		})
	}
	if !hasCmd {
		d.fail(n, "cmd is missing")
	}
	return s
}

func (d *decoder) params(n *yaml.Node) []ParamFile {
	pairs, _ := d.pairs(n, "params")
	files := make([]ParamFile, 0, len(pairs))
	for _, p := range pairs {
		d.at(p.name, func() {
			if _, ok := d.pairs(p.value, "the parameters of a file"); ok {
				values, _ := d.value(p.value).(*yaml12.Map)
				files = append(files, ParamFile{Path: p.name, Values: values})
			}
		})
	}
	return files
}

func (d *decoder) entries(n *yaml.Node) []Entry {
	nodes := d.list(n, d.path[len(d.path)-1])
	list := make([]Entry, 0, len(nodes))
	for i, item := range nodes {
		d.at(fmt.Sprint(i), func() {
			e, rest, ok := d.entry(item)
			if !ok {
				return
			}
			for _, p := range rest {
				d.fail(p.key, "unknown key %q", p.name)
			}
			list = append(list, e)
		})
	}
	return list
}

// entry reads what entries of dvc.lock and .dvc files have in common and
// returns the keys that it does not know.
func (d *decoder) entry(n *yaml.Node) (e Entry, rest []pair, ok bool) {
	pairs, ok := d.pairs(n, "an entry")
	if !ok {
		return e, nil, false
	}
	e.Size, e.Files = -1, -1
	hasPath := false
	digests := map[string]string{}
	for _, p := range pairs {
		d.at(p.name, func() {
			switch p.name {
			case "path":
				hasPath = true
				e.Path = d.text(p.value, "path")
			case "hash":
				e.Hash = d.text(p.value, "hash")
			case "md5", "blake3":
				digests[p.name] = d.digest(p.value, p.name)
			case "size":
				e.Size = d.count(p.value, p.name)
			case "nfiles":
				e.Files = d.count(p.value, p.name)
			case "isexec":
				e.Exec = d.boolean(p.value, p.name)
			case "etag", "checksum", "version_id", "cloud", "files", "dataset":
				d.extra(&e, p)
			default:
				rest = append(rest, p)
			}
		})
	}
	if !hasPath {
		d.fail(n, "path is missing")
	}
	for name, text := range digests {
		if name == e.digestKey() {
			e.Digest = text
			continue
		}
		d.fail(n, "key %q does not go with hash %q", name, e.Hash)
	}
	e.derive()
	return e, rest, true
}

// extra keeps a key that flow hands on without looking into it.
func (d *decoder) extra(e *Entry, p pair) {
	v := d.value(p.value)
	switch p.name {
	case "cloud":
		if m, ok := v.(*yaml12.Map); !ok || m.Len() > 1 {
			d.fail(p.value, "cloud must be a map with one remote")
		}
	case "dataset":
		if _, ok := v.(*yaml12.Map); !ok {
			d.fail(p.value, "dataset must be a map")
		}
	case "files":
		if _, ok := v.([]any); !ok {
			d.fail(p.value, "files must be a list")
		}
	}
	if e.Extra == nil {
		e.Extra = new(yaml12.Map)
	}
	e.Extra.Items = append(e.Extra.Items, yaml12.Item{Key: p.name, Value: v})
}
