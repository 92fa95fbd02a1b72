package lock

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// parseFast reads a lock in the layout that DVC and Encode write: the schema,
// the stages, nothing else. It returns nil for any other text, faulty ones
// included; what it returns is what parseSlow would.
//
// The text is cut at lines indented by two. Stages of plain lines are read
// here; others (text over several lines, nested parameters) by the YAML parser,
// each by itself, which is still faster than all at once.
func parseFast(data []byte) *File {
	rest, ok := bytes.CutPrefix(data, []byte(schemaLine+stagesLine))
	if !ok || len(rest) == 0 || rest[len(rest)-1] != '\n' {
		return nil
	}
	f := New()
	f.head, f.open, f.listed = data[:len(schemaLine)], data[len(schemaLine):len(schemaLine)+len(stagesLine)], true
	n := len(rest)/250 + 1
	f.blocks = make([]*block, 0, n)
	f.index = make(map[string]int, n)
	text := string(rest)
	for len(rest) > 0 {
		size := blockSize(rest)
		if size == 0 {
			return nil
		}
		b := readBlock(text[:size], rest[:size:size])
		if b == nil {
			return nil
		}
		if _, dup := f.index[b.name]; dup {
			return nil
		}
		f.put(b)
		rest, text = rest[size:], text[size:]
	}
	return f
}

// blockSize returns the length of the stage at the start of text: a line
// indented by two and those after it that are indented deeper. 0 means that
// there is none.
func blockSize(text []byte) int {
	if len(text) < 3 || text[0] != ' ' || text[1] != ' ' || text[2] == ' ' {
		return 0
	}
	at := 0
	for {
		i := bytes.IndexByte(text[at:], '\n')
		if i < 0 {
			return 0
		}
		at += i + 1
		if at+3 > len(text) || text[at] != ' ' || text[at+1] != ' ' || text[at+2] != ' ' {
			return at
		}
	}
}

func readBlock(text string, raw []byte) *block {
	r := lineReader{rest: text}
	r.next()
	key, ok := strings.CutSuffix(r.line[2:], ":")
	if !ok {
		return nil
	}
	name, ok := fastText(key)
	if !ok {
		return nil
	}
	if s := r.stage(); s != nil {
		return &block{name: name, stage: s, raw: raw}
	}
	return parseBlock(name, raw)
}

// parseBlock reads one stage's text by the YAML parser. That the text is a
// stage of its own follows from its being valid by itself.
func parseBlock(name string, raw []byte) *block {
	doc, err := yaml12.Parse("", raw)
	if err != nil || doc.Root == nil {
		return nil
	}
	d := &decoder{doc: doc}
	pairs, ok := d.pairs(doc.Root, "")
	if !ok || len(pairs) != 1 || pairs[0].name != name || pairs[0].key.Column != 3 || pairs[0].key.Line != 1 {
		return nil
	}
	s := d.stage(pairs[0].value)
	// Comments at the end belong to the next stage; leave them to parseSlow.
	if len(d.errs) > 0 || tailStart(raw, len(bytes.TrimRight(raw, " \r\n"))) != len(raw) {
		return nil
	}
	return &block{name: name, stage: s, raw: raw}
}

// lineReader goes through the lines of one stage.
type lineReader struct {
	rest string
	line string // the current line without its end; done when it is at the end
	done bool
}

func (r *lineReader) next() {
	if r.rest == "" {
		r.line, r.done = "", true
		return
	}
	i := strings.IndexByte(r.rest, '\n')
	r.line, r.rest = r.rest[:i], r.rest[i+1:]
}

// stage reads the lines below a stage's name, nil if they are not all of the
// plain kind.
func (r *lineReader) stage() *Stage {
	s := new(Stage)
	r.next()
	var ok bool
	if s.Cmd, ok = r.cmd(); !ok {
		return nil
	}
	if v, found := strings.CutPrefix(r.line, "    version: "); found {
		if s.Version, ok = fastText(v); !ok {
			return nil
		}
		r.next()
	}
	if r.line == "    deps:" {
		if s.Deps, ok = r.entries(); !ok {
			return nil
		}
	}
	if r.line == "    params:" {
		if s.Params, ok = r.params(); !ok {
			return nil
		}
	}
	if r.line == "    outs:" {
		if s.Outs, ok = r.entries(); !ok {
			return nil
		}
	}
	if !r.done {
		return nil
	}
	return s
}

func (r *lineReader) cmd() (any, bool) {
	if r.line == "    cmd:" {
		var list []any
		r.next()
		for {
			text, found := strings.CutPrefix(r.line, "    - ")
			if !found {
				return list, len(list) > 0
			}
			v, ok := r.folded(text)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
	}
	text, found := strings.CutPrefix(r.line, "    cmd: ")
	if !found {
		return nil, false
	}
	return r.folded(text)
}

// folded reads a text value, its first line given, and steps behind it. Plain
// text may go on in lines indented by six.
func (r *lineReader) folded(text string) (string, bool) {
	r.next()
	more := func() (string, bool) {
		t, ok := strings.CutPrefix(r.line, "      ")
		return t, ok && t != "" && t[0] != ' '
	}
	next, ok := more()
	if !ok {
		return fastText(text)
	}
	if !plainText(strings.TrimRight(text, " "), true) || strings.Trim(text, " ") == "" {
		return "", false
	}
	var b strings.Builder
	b.WriteString(strings.TrimRight(text, " "))
	for ; ok; next, ok = more() {
		next = strings.TrimRight(next, " ")
		if !plainText(next, false) {
			return "", false
		}
		b.WriteByte(' ')
		b.WriteString(next)
		r.next()
	}
	s := b.String()
	_, isText := yaml12.Scalar(s).(string)
	return s, isText
}

func (r *lineReader) entries() ([]Entry, bool) {
	r.next()
	var list []Entry
	for {
		text, found := strings.CutPrefix(r.line, "    - path: ")
		if !found {
			return list, len(list) > 0
		}
		e := Entry{Size: -1, Files: -1}
		var ok bool
		if e.Path, ok = fastText(text); !ok {
			return nil, false
		}
		r.next()
		for strings.HasPrefix(r.line, "      ") {
			if !e.field(r.line[6:]) {
				return nil, false
			}
			r.next()
		}
		list = append(list, e)
	}
}

// field reads "key: value" into an entry whose hash, if any, comes first.
func (e *Entry) field(line string) bool {
	key, value, ok := strings.Cut(line, ": ")
	if !ok {
		return false
	}
	switch key {
	case "hash":
		if e.Hash != "" || e.Digest != "" {
			return false
		}
		e.Hash, ok = fastText(value)
		return ok && e.Hash != ""
	case "md5", "blake3":
		if e.Digest != "" || key != e.digestKey() {
			return false
		}
		e.Digest, ok = fastDigest(value)
		return ok
	case "size":
		if e.Size >= 0 {
			return false
		}
		e.Size, ok = fastCount(value)
		return ok
	case "nfiles":
		if e.Files >= 0 {
			return false
		}
		e.Files, ok = fastCount(value)
		return ok
	case "isexec":
		if e.Exec || value != "true" {
			return false
		}
		e.Exec = true
		return true
	}
	return false
}

func (r *lineReader) params() ([]ParamFile, bool) {
	r.next()
	var files []ParamFile
	for {
		key, found := strings.CutPrefix(r.line, "      ")
		if !found {
			return files, len(files) > 0
		}
		key, found = strings.CutSuffix(key, ":")
		if !found {
			return nil, false
		}
		p := ParamFile{Values: new(yaml12.Map)}
		var ok bool
		if p.Path, ok = fastText(key); !ok {
			return nil, false
		}
		for _, other := range files {
			if other.Path == p.Path {
				return nil, false
			}
		}
		r.next()
		for strings.HasPrefix(r.line, "        ") {
			if !addParam(p.Values, r.line[8:]) {
				return nil, false
			}
			r.next()
		}
		if p.Values.Len() == 0 {
			return nil, false
		}
		files = append(files, p)
	}
}

func addParam(m *yaml12.Map, line string) bool {
	key, value, found := strings.Cut(line, ": ")
	if !found {
		if key, found = strings.CutSuffix(line, ":"); !found {
			return false
		}
	} else if value == "" {
		return false
	}
	name, ok := fastText(key)
	if !ok {
		return false
	}
	v, ok := fastValue(value)
	if !ok {
		return false
	}
	// Keys are written sorted; anything else could hide a duplicate.
	if n := len(m.Items); n > 0 && m.Items[n-1].Key.(string) >= name {
		return false
	}
	m.Items = append(m.Items, yaml12.Item{Key: name, Value: v})
	return true
}

// fastDigest returns the text of a digest: lower-case hex, quoted or not.
func fastDigest(s string) (string, bool) {
	if len(s) > 1 && s[0] == '\'' && s[len(s)-1] == '\'' {
		s = s[1 : len(s)-1]
	}
	digits := strings.TrimSuffix(s, ".dir")
	for i := 0; i < len(digits); i++ {
		if c := digits[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", false
		}
	}
	return s, len(digits) >= 3
}

func fastCount(s string) (int64, bool) {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// fastText returns the text of a scalar on one line, false if it is none or
// can't be told without a parser.
func fastText(s string) (string, bool) {
	v, ok := fastValue(s)
	text, isText := v.(string)
	return text, ok && isText
}

// fastValue returns the value of a scalar or empty collection on one line.
func fastValue(s string) (any, bool) {
	switch {
	case s == "":
		return nil, true
	case s == "[]":
		return []any{}, true
	case s == "{}":
		return new(yaml12.Map), true
	case s[0] == '\'':
		text := s[1:]
		if text == "" || text[len(text)-1] != '\'' {
			return nil, false
		}
		text = text[:len(text)-1]
		if !simpleChars(text) {
			return nil, false
		}
		if strings.Contains(text, "'") {
			if plain := strings.ReplaceAll(text, "''", ""); strings.Contains(plain, "'") {
				return nil, false
			}
			text = strings.ReplaceAll(text, "''", "'")
		}
		return text, true
	case !plainText(s, true):
		return nil, false
	}
	return yaml12.Scalar(s), true
}

// plainText reports whether s, on a line of its own, is surely a plain scalar
// with exactly that text; first tells that the scalar begins with it.
func plainText(s string, first bool) bool {
	if s == "" || s[len(s)-1] == ' ' || s[len(s)-1] == ':' || s[0] == '#' || s[0] == ' ' {
		return false
	}
	if first {
		switch c := s[0]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '/', c == '.', c == '+', c >= 0x80:
		case c == '-' && len(s) > 1 && s[1] != ' ' && s[1] != '-':
		default:
			return c == '~' && s == "~"
		}
	}
	for i := 1; i < len(s); i++ {
		if s[i] == ' ' && s[i-1] == ':' || s[i] == '#' && s[i-1] == ' ' {
			return false
		}
	}
	return simpleChars(s)
}

// simpleChars reports whether s holds only printable characters that YAML
// takes as they are.
func simpleChars(s string) bool {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == 0x7f {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError || r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r >= 0xfff0 && r <= 0xffff {
			return false
		}
		i += n
	}
	return true
}
