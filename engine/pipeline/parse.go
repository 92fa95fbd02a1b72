package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// loader holds what the files of one Load share.
type loader struct {
	o      Options
	values *Values
	// wrapped are whole parameter files as template values, by root-relative
	// path.
	wrapped map[string]*value
	set     *Set
	errs    yaml12.Errors
}

func newLoader(o Options) *loader {
	return &loader{
		o: o, values: NewValues(o.Root), wrapped: map[string]*value{},
		set: &Set{root: o.Root, byPath: map[string]*File{}},
	}
}

// addError records a fault that may be a list of located ones.
func (l *loader) addError(file string, err error) {
	var list yaml12.Errors
	if errors.As(err, &list) {
		l.errs = append(l.errs, list...)
		return
	}
	var one *yaml12.Error
	if errors.As(err, &one) {
		l.errs = append(l.errs, one)
		return
	}
	l.errs = append(l.errs, &yaml12.Error{Kind: yaml12.Graph, File: file, Msg: err.Error()})
}

// read loads one file of the given root-relative path into the set. It
// returns nil when nothing of it can be used; faults are in l.errs.
func (l *loader) read(rel string) *File {
	data, err := os.ReadFile(filepath.Join(l.o.Root, filepath.FromSlash(rel)))
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		l.addError(rel, fmt.Errorf("read '%s': %w", rel, err))
		return nil
	}
	f := &File{Path: rel, byName: map[string]*Stage{}}
	if f.IsData() {
		l.readData(f, data)
	} else {
		p := &parser{loader: l, f: f, dir: path.Dir(rel), seen: map[[2]int]bool{}}
		p.parse(data)
	}
	l.set.add(f)
	return f
}

// parser turns one dvc.yaml into a File.
type parser struct {
	*loader
	f     *File
	dir   string
	scope *scope
	lines []int // offsets of line starts, made when an error needs them
	// seen are the places that generated stages already reported, since each
	// stage of a group fails alike.
	seen map[[2]int]bool
	// group is the name of the foreach or matrix stage being expanded.
	group string
}

func (p *parser) parse(data []byte) {
	doc, err := yaml12.Parse(p.f.Path, data)
	if err != nil {
		p.addError(p.f.Path, err)
		return
	}
	p.f.Doc = doc
	root, err := convert(doc)
	if err != nil {
		p.addError(p.f.Path, err)
		return
	}
	if root == nil || !root.truthy() {
		root = &node{kind: mapNode}
	}
	faults := checkFile(p.f.Path, root)
	p.errs = append(p.errs, faults...)
	if root.kind != mapNode {
		return
	}
	bad := func(section, name string) bool {
		for _, e := range faults {
			if len(e.Path) > 0 && e.Path[0] == section && (name == "" || len(e.Path) > 1 && e.Path[1] == name) {
				return true
			}
		}
		return false
	}
	if bad("vars", "") || !p.globals(root.get("vars")) {
		return
	}
	if n := root.get("stages"); n != nil && n.kind == mapNode {
		for i, k := range n.keys {
			name, ok := k.text()
			if !ok || len(faults) > 0 && bad("stages", name) {
				continue
			}
			p.definition(name, k, n.vals[i])
		}
	}
	p.sections(root, func(name string) bool { return bad(name, "") })
}

// globals loads the file's own template values.
func (p *parser) globals(vars *node) bool {
	p.scope = &scope{}
	_, err := os.Stat(p.abs(path.Join(p.dir, defaultParams)))
	if err == nil {
		if err := p.importFile(p.scope, defaultParams, p.dir); err != nil {
			p.varsFault(err, nil, "'vars'", []string{"vars"})
			return false
		}
	}
	if !p.loadVars(p.scope, vars, p.dir, "") {
		return false
	}
	if p.scope.root != nil {
		p.f.Vars, _ = (&value{dict: p.scope.root}).plain().(*yaml12.Map)
	}
	return true
}

func (p *parser) abs(rel string) string {
	if isAbs(rel) {
		return filepath.FromSlash(rel)
	}
	return filepath.Join(p.o.Root, filepath.FromSlash(rel))
}

// loadVars extends sc by a vars list; stage is "" for the file's own.
func (p *parser) loadVars(sc *scope, vars *node, wdir, stage string) bool {
	if vars == nil {
		return true
	}
	where, trail := "'vars'", []string{"vars"}
	prefix := "vars"
	if stage != "" {
		where, trail = "'stages."+stage+".vars'", []string{"stages", stage, "vars"}
		prefix = stage + ".vars"
	}
	if n, nth := templateIn(vars); n != nil {
		p.template(n, nth, "failed to parse "+where+" in '"+p.f.Path+"': interpolating is not allowed",
			"vars are read before templates are replaced", trail)
		return false
	}
	for i, item := range vars.vals {
		var err error
		if s, ok := item.text(); ok {
			err = p.importFile(sc, s, wdir)
		} else {
			source := fmt.Sprintf("%s[%d]", prefix, i)
			err = sc.extend(wrap(item.plain(), source).dict, "")
		}
		if err != nil {
			w := where
			var ve *varsError
			if stage != "" && (!errors.As(err, &ve) || !ve.vars) {
				w = "stage '" + stage + "'"
			}
			p.varsFault(err, item, w, append(trail, fmt.Sprint(i)))
			return false
		}
	}
	return true
}

// varsFault reports a fault in vars; item is nil for the default file.
func (p *parser) varsFault(err error, item *node, where string, trail []string) {
	var ve *varsError
	if !errors.As(err, &ve) {
		p.addError(p.f.Path, err) // a parameter file that cannot be read
		return
	}
	if item == nil {
		item = &node{line: 1, col: 1}
	}
	sep := " "
	if ve.block {
		sep = "\n"
	}
	p.fault(yaml12.Template, item.line, item.col, trail,
		"failed to parse "+where+" in '"+p.f.Path+"':"+sep+ve.msg, ve.hint)
}

// templateIn returns the first string below n that holds a template.
func templateIn(n *node) (*node, int) {
	if !n.templated {
		return nil, 0
	}
	if s, ok := n.text(); ok {
		if list := matches(s); len(list) > 0 {
			return n, strings.Count(s[:list[0].start], "${")
		}
		return nil, 0
	}
	for i, v := range n.vals {
		if n.kind == mapNode {
			if t, nth := templateIn(n.keys[i]); t != nil {
				return t, nth
			}
		}
		if t, nth := templateIn(v); t != nil {
			return t, nth
		}
	}
	return nil, 0
}

// importFile extends sc by a parameter file, "path" or "path:key1,key2".
func (p *parser) importFile(sc *scope, item, wdir string) error {
	file, list, _ := strings.Cut(item, ":")
	var keys []string
	for _, k := range strings.Split(list, ",") {
		if k != "" {
			keys = append(keys, k)
		}
	}
	rel := join(wdir, filepath.ToSlash(file))
	skip, err := sc.imported(rel, item, keys)
	if skip || err != nil {
		return err
	}
	whole, err := p.wholeFile(rel)
	if err != nil {
		return err
	}
	d := whole.dict
	if keys != nil {
		d = &dict{m: map[string]*value{}}
		for _, k := range keys {
			v := whole.dict.m[k]
			if v == nil {
				return &varsError{msg: fmt.Sprintf("could not find '%s' in '%s'", k, rel),
					hint: didYouMean(k, whole.dict.keys)}
			}
			d.add(k, v)
		}
	}
	if err := sc.extend(d, item); err != nil {
		return err
	}
	sc.note(rel, keys)
	return nil
}

// wholeFile returns the values of a parameter file, read once per load.
func (p *parser) wholeFile(rel string) (*value, error) {
	if v := p.wrapped[rel]; v != nil {
		return v, nil
	}
	fi, err := os.Stat(p.abs(rel))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &varsError{msg: fmt.Sprintf("'%s' does not exist", rel)}
	case err == nil && fi.IsDir():
		return nil, &varsError{msg: fmt.Sprintf("'%s' is a directory", rel)}
	}
	data, err := p.values.file(rel)
	if err != nil {
		return nil, err
	}
	if data.other != "" {
		return nil, &varsError{msg: fmt.Sprintf("expected a dictionary, got '%s' in file '%s'", data.other, rel)}
	}
	v := wrap(data.root, rel)
	p.wrapped[rel] = v
	return v, nil
}

// fault reports an error once per place while a group is expanded.
func (p *parser) fault(k yaml12.Kind, line, col int, trail []string, msg, hint string) {
	if p.group != "" {
		at := [2]int{line, col}
		if p.seen[at] {
			return
		}
		p.seen[at] = true
	}
	p.errs = append(p.errs, &yaml12.Error{
		Kind: k, File: p.f.Path, Line: line, Column: col, Msg: msg, Hint_: hint,
		Path: append([]string(nil), trail...),
	})
}

// template reports a fault at the nth "${" of a string.
func (p *parser) template(n *node, nth int, msg, hint string, trail []string) {
	line, col := p.locate(n, nth)
	p.fault(yaml12.Template, line, col, trail, msg, hint)
}

// locate finds the nth "${" of a string in the text of the file. Quoting and
// folding change neither their number nor their order.
func (p *parser) locate(n *node, nth int) (line, col int) {
	data := p.f.Doc.Data
	if p.lines == nil {
		p.lines = append(p.lines, 0)
		for i, c := range data {
			if c == '\n' {
				p.lines = append(p.lines, i+1)
			}
		}
	}
	if n.line < 1 || n.line > len(p.lines) {
		return n.line, n.col
	}
	off := p.lines[n.line-1]
	for i := 1; i < n.col && off < len(data); i++ {
		_, size := utf8.DecodeRune(data[off:])
		off += size
	}
	text := string(data[off:])
	at := 0
	for ; ; nth-- {
		i := strings.Index(text[at:], "${")
		if i < 0 {
			return n.line, n.col
		}
		if at += i; nth == 0 {
			break
		}
		at += 2
	}
	before := text[:at]
	if nl := strings.LastIndexByte(before, '\n'); nl >= 0 {
		return n.line + strings.Count(before, "\n"), utf8.RuneCountInString(before[nl+1:]) + 1
	}
	return n.line, n.col + utf8.RuneCountInString(before)
}

// resolver returns one that reports faults below the given place.
func (p *parser) resolver(sc *scope, field, where string, trail []string) *resolver {
	return &resolver{
		scope: sc, field: field, generated: p.group != "",
		unpack: &unpacker{boolOptional: p.o.BoolOptional, listAppend: p.o.ListAppend},
		fail: func(n *node, pr problem) {
			sep := " "
			if pr.block {
				sep = "\n"
			}
			p.template(n, pr.nth, "failed to parse '"+where+"' in '"+p.f.Path+"':"+sep+pr.msg, pr.hint, trail)
		},
	}
}
