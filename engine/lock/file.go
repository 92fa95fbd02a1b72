package lock

import (
	"bytes"

	"github.com/flowrepro/flow/internal/yaml12"
)

// schemaLine opens every dvc.lock.
const schemaLine = "schema: '2.0'\n"

// stagesLine opens the stages.
const stagesLine = "stages:\n"

// File is a dvc.lock. Stages keep their place and, while they are not Set to
// something else, their bytes; so does everything beside the stages.
type File struct {
	// head is the text before the stages, open the line that begins them and
	// what stands between it and the first one, foot the text behind them.
	head, open, foot []byte
	// listed is set when the text had the key stages, be it without any.
	listed bool
	blocks []*block
	index  map[string]int
}

// block is one stage and its text.
type block struct {
	name  string
	stage *Stage
	// raw is the text, nil when it must be written anew; tail the comments
	// and blank lines between it and the next stage.
	raw, tail []byte
}

// New returns a lock without stages.
func New() *File {
	return &File{head: []byte(schemaLine), open: []byte(stagesLine), index: map[string]int{}}
}

// Parse reads a lock; name is for errors, which are yaml12.Errors.
func Parse(name string, data []byte) (*File, error) {
	if f := parseFast(data); f != nil {
		return f, nil
	}
	return parseSlow(name, data)
}

// Stage returns what is recorded of a stage. It must not be changed.
func (f *File) Stage(name string) (*Stage, bool) {
	i, ok := f.index[name]
	if !ok {
		return nil, false
	}
	return f.blocks[i].stage, true
}

// Names returns the stages in the order of the file.
func (f *File) Names() []string {
	names := make([]string, len(f.blocks))
	for i, b := range f.blocks {
		names[i] = b.name
	}
	return names
}

// Set records a stage in its place, a new one at the end. The stage must not
// be changed afterwards.
func (f *File) Set(name string, s *Stage) {
	if i, ok := f.index[name]; ok {
		b := f.blocks[i]
		if !b.stage.Equal(s) {
			b.raw = nil
		}
		b.stage = s
		return
	}
	f.put(&block{name: name, stage: s})
}

func (f *File) put(b *block) {
	if i, ok := f.index[b.name]; ok {
		f.blocks[i] = b
		return
	}
	f.index[b.name] = len(f.blocks)
	f.blocks = append(f.blocks, b)
}

// Remove forgets a stage and reports whether it was there.
func (f *File) Remove(name string) bool {
	i, ok := f.index[name]
	if !ok {
		return false
	}
	f.blocks = append(f.blocks[:i], f.blocks[i+1:]...)
	delete(f.index, name)
	for n, j := range f.index {
		if j > i {
			f.index[n] = j - 1
		}
	}
	return true
}

// Empty reports whether the lock records nothing: no stage and nothing else
// beside the schema.
func (f *File) Empty() bool {
	return len(f.blocks) == 0 && len(bytes.TrimSpace(f.foot)) == 0 &&
		string(bytes.TrimSpace(f.head)) == string(bytes.TrimSpace([]byte(schemaLine)))
}

// Encode returns the text of the lock.
func (f *File) Encode() []byte {
	size := len(f.head) + len(f.open) + len(f.foot)
	anchors := max(highestAnchor(f.head), highestAnchor(f.foot))
	for _, b := range f.blocks {
		size += max(len(b.raw), 256) + len(b.tail)
		anchors = max(anchors, highestAnchor(b.raw))
	}
	out := append(make([]byte, 0, size), f.head...)
	switch {
	case len(f.blocks) > 0:
		out = append(out, f.open...)
	case f.listed:
		out = append(out, "stages: {}\n"...)
	}
	for _, b := range f.blocks {
		if b.raw == nil {
			from := len(out)
			out = yaml12.AppendEmitAt(out, oneItem(b.name, b.stage.Map()), 2, &anchors)
			b.raw = bytes.Clone(out[from:])
		} else {
			out = append(out, b.raw...)
		}
		out = append(out, b.tail...)
	}
	return append(out, f.foot...)
}

func oneItem(key string, value any) *yaml12.Map {
	return &yaml12.Map{Items: []yaml12.Item{{Key: key, Value: value}}}
}

// parseSlow reads a lock of any layout.
func parseSlow(name string, data []byte) (*File, error) {
	doc, err := yaml12.Parse(name, data)
	if err != nil {
		return nil, err
	}
	d := &decoder{doc: doc}
	f := New()
	f.head = nil
	stages := d.root(f)
	if err := d.errs.Err(); err != nil {
		return nil, err
	}
	if !f.cut(doc, stages) {
		f.rewrite(d, stages)
	}
	return f, nil
}

// root checks the document and reads the stages. It returns the entry of the
// key stages, nil if there is none.
func (d *decoder) root(f *File) *pair {
	if d.doc.Root == nil {
		d.fail(nil, "key \"schema\" is missing")
		d.errs[0].Line, d.errs[0].Column = 1, 1
		return nil
	}
	pairs, ok := d.pairs(d.doc.Root, "a lock file")
	if !ok {
		return nil
	}
	var stages *pair
	schema := false
	for i, p := range pairs {
		d.at(p.name, func() {
			switch p.name {
			case "schema":
				schema = true
				if v := d.value(p.value); v != "2.0" {
					d.fail(p.value, "invalid schema version, expected the text '2.0'")
					if _, ok := v.(float64); ok {
						d.errs[len(d.errs)-1].Hint_ = "quote it: schema: '2.0'"
					}
				}
			case "datasets":
				d.value(p.value)
			case "stages":
				stages = &pairs[i]
				list, _ := d.pairs(p.value, "stages")
				for _, s := range list {
					d.at(s.name, func() { f.put(&block{name: s.name, stage: d.stage(s.value)}) })
				}
			default:
				d.fail(p.key, "unknown key %q", p.name)
			}
		})
	}
	if !schema {
		d.fail(d.doc.Root, "key \"schema\" is missing")
	}
	return stages
}

// rewrite gives f the text it would have if written anew, for documents that
// can't be cut into stages.
func (f *File) rewrite(d *decoder, stages *pair) {
	pairs, _ := d.pairs(d.doc.Root, "a lock file")
	f.open = []byte(stagesLine)
	f.listed = stages != nil
	target, anchors := &f.head, 0
	for _, p := range pairs {
		if p.name == "stages" {
			target = &f.foot
			continue
		}
		*target = yaml12.AppendEmitAt(*target, oneItem(p.name, d.value(p.value)), 0, &anchors)
	}
}
