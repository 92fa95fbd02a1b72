package cache

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// field returns the JSON key that holds a member's digest.
func (h *Hash) field() string {
	if h == MD5Text {
		return MD5.Name // the same key, another meaning: the place tells
	}
	return h.Name
}

// Encode returns the canonical form of the directory. For MD5 and MD5Text it
// is DVC's, byte for byte: a JSON array of {"md5", "relpath"} as Python's
// json.dumps writes it. For BLAKE3 it has the same shape and also tells sizes
// and execute bits. Members must be sorted, and their digests be h's.
func (m *Manifest) Encode(h *Hash) []byte {
	return append(m.appendMembers(append(make([]byte, 0, m.encodedMost(h, 0, len(m.Members))), '['), h, 0, len(m.Members)), ']')
}

// encodedMost is how long the form of the members from lo to hi is, unless names
// have to be escaped.
func (m *Manifest) encodedMost(h *Hash, lo, hi int) int {
	n := 2
	for i := lo; i < hi; i++ {
		n += len(m.Members[i].Path) + 2*h.Size + 64
	}
	return n
}

// appendMembers appends the members from lo to hi, with the commas before them.
func (m *Manifest) appendMembers(buf []byte, h *Hash, lo, hi int) []byte {
	native := recordsExec(h)
	for i := lo; i < hi; i++ {
		b := &m.Members[i]
		if i > 0 {
			buf = append(buf, ", "...)
		}
		buf = append(buf, `{"`...)
		buf = append(buf, h.field()...)
		buf = append(buf, `": "`...)
		buf = hex.AppendEncode(buf, b.Digest.sum[:h.Size])
		buf = append(buf, '"')
		if native && b.Exec {
			buf = append(buf, `, "exec": true`...)
		}
		buf = append(buf, `, "relpath": `...)
		buf = appendString(buf, b.Path)
		if native {
			buf = append(buf, `, "size": `...)
			buf = strconv.AppendInt(buf, max(0, b.Size), 10)
		}
		buf = append(buf, '}')
	}
	return buf
}

// writeTo hashes the canonical form without keeping it: it is encoded while the
// part before is hashed.
func (m *Manifest) writeTo(w hash.Hash, h *Hash) {
	const part = 512 // members
	if len(m.Members) <= part {
		w.Write(m.Encode(h))
		return
	}
	full, free := make(chan []byte, 2), make(chan []byte, 3)
	for range cap(free) {
		free <- nil
	}
	go func() {
		defer close(full)
		for lo := 0; lo < len(m.Members); lo += part {
			hi := min(lo+part, len(m.Members))
			buf := (<-free)[:0]
			if lo == 0 {
				buf = append(make([]byte, 0, m.encodedMost(h, lo, hi)), '[')
			}
			if buf = m.appendMembers(buf, h, lo, hi); hi == len(m.Members) {
				buf = append(buf, ']')
			}
			full <- buf
		}
	}()
	for buf := range full {
		w.Write(buf)
		free <- buf
	}
}

// appendString appends s as Python's json.dumps writes it: ASCII only, short
// forms where JSON has them, surrogate pairs beyond the basic plane.
func appendString(buf []byte, s string) []byte {
	buf = append(buf, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch {
			case c == '"' || c == '\\':
				buf = append(buf, '\\', c)
			case c >= ' ' && c < 0x7f:
				buf = append(buf, c)
			case c == '\n':
				buf = append(buf, `\n`...)
			case c == '\r':
				buf = append(buf, `\r`...)
			case c == '\t':
				buf = append(buf, `\t`...)
			case c == '\b':
				buf = append(buf, `\b`...)
			case c == '\f':
				buf = append(buf, `\f`...)
			default:
				buf = appendEscape(buf, rune(c))
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		if r >= 0x10000 {
			hi, lo := utf16.EncodeRune(r)
			buf = appendEscape(buf, hi)
			r = lo
		}
		buf = appendEscape(buf, r)
	}
	return append(buf, '"')
}

func appendEscape(buf []byte, r rune) []byte {
	const digits = "0123456789abcdef"
	return append(buf, '\\', 'u', digits[r>>12&15], digits[r>>8&15], digits[r>>4&15], digits[r&15])
}

// ParseManifest reads what Encode wrote, and what other programs write for it:
// white space and key order are free. Members in another order are sorted. A
// path that leads out of the directory or is not clean, a path twice, a path
// that is both file and directory, a malformed digest and, in the native form,
// a key that is not known are errors.
func ParseManifest(h *Hash, data []byte) (*Manifest, error) {
	p := manifestParser{h: h, data: data}
	m, err := p.parse()
	if err == nil {
		err = m.normalize()
	}
	if err != nil {
		return nil, fmt.Errorf("parse %s directory manifest: %w", h.Name, err)
	}
	return m, nil
}

// manifestParser is a JSON reader for one shape. It exists because manifests
// of a hundred thousand files are read to answer "is everything there?", and
// the general decoder takes most of the time that question is allowed to.
type manifestParser struct {
	h    *Hash
	data []byte
	pos  int
	buf  []byte // scratch of str
}

var errJSONEnd = errors.New("unexpected end")

func (p *manifestParser) parse() (*Manifest, error) {
	m := new(Manifest)
	if err := p.expect('['); err != nil {
		return nil, err
	}
	if p.peek() == ']' {
		p.pos++
		return m, p.end()
	}
	// A lower bound of what one member takes, so that a lying file cannot make
	// us reserve more than a small multiple of its size.
	m.Members = make([]Member, 0, len(p.data)/(2*p.h.Size+30)+1)
	for {
		b, err := p.member()
		if err != nil {
			return nil, fmt.Errorf("member %d: %w", len(m.Members), err)
		}
		m.Members = append(m.Members, b)
		switch p.peek() {
		case ',':
			p.pos++
		case ']':
			p.pos++
			return m, p.end()
		default:
			return nil, p.unexpected()
		}
	}
}

func (p *manifestParser) member() (Member, error) {
	b := Member{Size: -1}
	var seen [4]bool // digest, path, size, exec
	if err := p.expect('{'); err != nil {
		return b, err
	}
	if p.peek() == '}' {
		return b, errors.New("no digest")
	}
	for {
		if p.peek() != '"' {
			return b, p.unexpected()
		}
		key, err := p.str()
		if err != nil {
			return b, err
		}
		which := -1
		switch string(key) {
		case p.h.field():
			which = 0
		case "relpath":
			which = 1
		case "size":
			which = 2
		case "exec":
			which = 3
		}
		if which > 1 && !recordsExec(p.h) {
			which = -1
		}
		if which < 0 && recordsExec(p.h) {
			return b, fmt.Errorf("unknown key %q", key)
		}
		if which >= 0 {
			if seen[which] {
				return b, fmt.Errorf("key %q twice", key)
			}
			seen[which] = true
		}
		if err := p.expect(':'); err != nil {
			return b, err
		}
		if err := p.value(&b, which); err != nil {
			return b, err
		}
		switch p.peek() {
		case ',':
			p.pos++
			p.peek()
		case '}':
			p.pos++
			return b, complete(p.h, seen)
		default:
			return b, p.unexpected()
		}
	}
}

func complete(h *Hash, seen [4]bool) error {
	switch {
	case !seen[0]:
		return errors.New("no digest")
	case !seen[1]:
		return errors.New("no relpath")
	case !seen[2] && recordsExec(h):
		return errors.New("no size")
	}
	return nil
}

// value reads the value of a key: 0 digest, 1 path, 2 size, 3 exec, else it is
// skipped.
func (p *manifestParser) value(b *Member, which int) error {
	c := p.peek()
	switch which {
	case 0, 1:
		if c != '"' {
			return p.unexpected()
		}
		s, err := p.str()
		if err != nil {
			return err
		}
		if which == 1 {
			b.Path = string(s)
			return nil
		}
		if len(s) != 2*p.h.Size || !lowerHex(s) {
			return fmt.Errorf("%q is not a %s digest", s, p.h.Name)
		}
		b.Digest.id = p.h.id
		if _, err := hex.Decode(b.Digest.sum[:], s); err != nil {
			return err
		}
	case 2:
		start := p.pos
		for p.pos < len(p.data) && p.data[p.pos] >= '0' && p.data[p.pos] <= '9' {
			p.pos++
		}
		text := p.data[start:p.pos]
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || len(text) > 1 && text[0] == '0' {
			return fmt.Errorf("size %q", text)
		}
		b.Size = n
	case 3:
		// Only true is ever written: one content, one digest.
		if !bytes.HasPrefix(p.data[p.pos:], []byte("true")) {
			return p.unexpected()
		}
		p.pos += len("true")
		b.Exec = true
	default:
		return p.skip()
	}
	return nil
}

func lowerHex(s []byte) bool {
	return !slices.ContainsFunc(s, func(c byte) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'f')
	})
}

// skip passes over a scalar that is of no interest; nothing else occurs.
func (p *manifestParser) skip() error {
	switch c := p.peek(); {
	case c == '"':
		_, err := p.str()
		return err
	case c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z':
		start := p.pos
		for p.pos < len(p.data) {
			c := p.data[p.pos]
			if c != '-' && c != '+' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != 'E' {
				break
			}
			p.pos++
		}
		if !json.Valid(p.data[start:p.pos]) {
			return fmt.Errorf("value %q", p.data[start:p.pos])
		}
		return nil
	default:
		return p.unexpected()
	}
}

// str reads a string; the position must be at its opening quote. The result
// is valid until the next call.
func (p *manifestParser) str() ([]byte, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; {
		case c == '"':
			p.pos++
			return p.data[start : p.pos-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < ' ':
			return nil, p.unexpected()
		}
		p.pos++
	}
	return nil, errJSONEnd
}

func (p *manifestParser) escaped(start int) ([]byte, error) {
	p.buf = append(p.buf[:0], p.data[start:p.pos]...)
	for p.pos < len(p.data) {
		c := p.data[p.pos]
		switch {
		case c == '"':
			p.pos++
			return p.buf, nil
		case c < ' ':
			return nil, p.unexpected()
		case c != '\\':
			p.buf = append(p.buf, c)
			p.pos++
			continue
		}
		if p.pos+1 >= len(p.data) {
			return nil, errJSONEnd
		}
		c = p.data[p.pos+1]
		p.pos += 2
		switch c {
		case '"', '\\', '/':
			p.buf = append(p.buf, c)
		case 'n':
			p.buf = append(p.buf, '\n')
		case 'r':
			p.buf = append(p.buf, '\r')
		case 't':
			p.buf = append(p.buf, '\t')
		case 'b':
			p.buf = append(p.buf, '\b')
		case 'f':
			p.buf = append(p.buf, '\f')
		case 'u':
			r, err := p.hex4()
			if err != nil {
				return nil, err
			}
			if utf16.IsSurrogate(r) {
				if !bytes.HasPrefix(p.data[p.pos:], []byte(`\u`)) {
					return nil, errors.New("half of a surrogate pair")
				}
				p.pos += 2
				lo, err := p.hex4()
				if err != nil {
					return nil, err
				}
				if r = utf16.DecodeRune(r, lo); r == utf8.RuneError {
					return nil, errors.New("half of a surrogate pair")
				}
			}
			p.buf = utf8.AppendRune(p.buf, r)
		default:
			return nil, fmt.Errorf("escape \\%c", c)
		}
	}
	return nil, errJSONEnd
}

func (p *manifestParser) hex4() (rune, error) {
	if p.pos+4 > len(p.data) {
		return 0, errJSONEnd
	}
	v, err := strconv.ParseUint(string(p.data[p.pos:p.pos+4]), 16, 16)
	if err != nil {
		return 0, fmt.Errorf("escape \\u%q", p.data[p.pos:p.pos+4])
	}
	p.pos += 4
	return rune(v), nil
}

// peek skips white space and returns the next byte, 0 at the end.
func (p *manifestParser) peek() byte {
	for p.pos < len(p.data) {
		switch c := p.data[p.pos]; c {
		case ' ', '\n', '\r', '\t':
			p.pos++
		default:
			return c
		}
	}
	return 0
}

func (p *manifestParser) expect(c byte) error {
	if p.peek() != c {
		return p.unexpected()
	}
	p.pos++
	return nil
}

func (p *manifestParser) end() error {
	if p.peek(); p.pos < len(p.data) {
		return p.unexpected()
	}
	return nil
}

func (p *manifestParser) unexpected() error {
	if p.pos >= len(p.data) {
		return errJSONEnd
	}
	return fmt.Errorf("unexpected %q at byte %d", p.data[p.pos], p.pos)
}
