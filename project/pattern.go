package project

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// A pattern is compiled to a list of steps that is run as a nondeterministic
// automaton over the path: linear in the path's length, with no backtracking.
// Both dialects, Git's and DVC's, compile to the same steps.
type step struct {
	op stepOp
	// char is what opChar asks for.
	char rune
	// skip is where opMaybe jumps.
	skip int
	// class is what opClass asks for.
	class *class
}

type stepOp uint8

const (
	opChar   stepOp = iota
	opAny           // one character but "/"
	opClass         // one character of a class
	opStar          // any number of characters but "/"
	opAll           // one character
	opDeep          // any number of characters
	opMaybe         // go on here, or at skip
	opSlash         // accept if a "/" follows, whatever comes then
	opEnd           // accept at the end
	opEndDir        // accept at the end or if a "/" follows
	opAccept        // accept
)

// class is a bracket expression.
type class struct {
	negated bool
	// slash lets the class match "/", as DVC's do.
	slash bool
	items []classItem
}

// classItem is a range, or a named POSIX class.
type classItem struct {
	low, high rune
	named     func(rune) bool
}

func (c *class) has(r rune) bool {
	if r == '/' && !c.slash {
		return false
	}
	for _, it := range c.items {
		if it.named != nil && it.named(r) || it.named == nil && it.low <= r && r <= it.high {
			return !c.negated
		}
	}
	return c.negated
}

// program is a compiled pattern.
type program struct {
	steps []step
	// bytes makes "?" and classes match bytes, as in Git.
	bytes bool
	// literal and suffix are shortcuts for the commonest patterns, compared
	// with the whole path or, with base, with its last component. With tree,
	// DVC's way, what is below a match matches too.
	literal, suffix string
	base, tree      bool
}

const maxStackSteps = 128

// match reports whether the path, without trailing slash, matches from its
// beginning. slash appends the slash that marks a directory.
func (p *program) match(path string, slash bool) bool {
	if p.literal != "" || p.suffix != "" {
		return p.shortcut(path)
	}
	var buf [2][maxStackSteps]bool
	now, next := buf[0][:], buf[1][:]
	if len(p.steps) > maxStackSteps {
		now, next = make([]bool, len(p.steps)), make([]bool, len(p.steps))
	}
	now, next = now[:len(p.steps)], next[:len(p.steps)]
	now[0] = true
	for at := 0; ; {
		// The character at hand; -1 at the end.
		r, size := rune(-1), 1
		switch {
		case at < len(path) && p.bytes:
			r = rune(path[at])
		case at < len(path):
			r, size = utf8.DecodeRuneInString(path[at:])
		case at == len(path) && slash:
			r = '/'
		}
		alive := false
		for i := range p.steps {
			if !now[i] {
				continue
			}
			now[i] = false
			s := &p.steps[i]
			advance := false
			switch s.op {
			case opChar:
				advance = r == s.char
			case opAny:
				advance = r >= 0 && r != '/'
			case opClass:
				advance = r >= 0 && s.class.has(r)
			case opAll:
				advance = r >= 0
			case opStar:
				now[i+1] = true
				if r >= 0 && r != '/' {
					next[i], alive = true, true
				}
			case opDeep:
				now[i+1] = true
				if r >= 0 {
					next[i], alive = true, true
				}
			case opMaybe:
				now[i+1], now[s.skip] = true, true
			case opSlash:
				if r == '/' {
					return true
				}
			case opEnd:
				if r < 0 {
					return true
				}
			case opEndDir:
				if r < 0 || r == '/' {
					return true
				}
			case opAccept:
				return true
			}
			if advance {
				next[i+1], alive = true, true
			}
		}
		if r < 0 || !alive {
			return false
		}
		now, next = next, now
		at += size
	}
}

func (p *program) shortcut(path string) bool {
	equal := func(s string) bool { return s == p.literal || p.suffix != "" && strings.HasSuffix(s, p.suffix) }
	switch {
	case !p.base && p.tree:
		rest, ok := strings.CutPrefix(path, p.literal)
		return ok && (rest == "" || rest[0] == '/')
	case !p.base:
		return equal(path)
	case !p.tree:
		return equal(path[strings.LastIndexByte(path, '/')+1:])
	}
	for name := range strings.SplitSeq(path, "/") {
		if equal(name) {
			return true
		}
	}
	return false
}

// errPattern marks a pattern that matches nothing.
var errPattern = errors.New("pattern matches nothing")

// compileGit translates a .gitignore pattern without "!" and trailing "/".
// The path it matches is relative to the directory of the file.
func compileGit(pattern string) (*program, error) {
	p := &program{bytes: true, base: !strings.Contains(pattern, "/")}
	pattern = strings.TrimPrefix(pattern, "/")
	if pattern == "" {
		return nil, errPattern
	}
	if !strings.ContainsAny(pattern, `*?[\`) {
		p.literal = pattern
		return p, nil
	}
	if p.base {
		if rest := pattern[1:]; pattern[0] == '*' && rest != "" && !strings.ContainsAny(rest, `*?[\`) {
			p.suffix = rest
			return p, nil
		}
		p.base = false
		p.anywhere()
	}
	for i := 0; i < len(pattern); {
		if pattern[i] == '*' {
			end := i
			for end < len(pattern) && pattern[end] == '*' {
				end++
			}
			bounded := (i == 0 || pattern[i-1] == '/') && (end == len(pattern) || pattern[end] == '/')
			switch {
			case end-i < 2 || !bounded:
				p.add(step{op: opStar})
			case end == len(pattern):
				p.add(step{op: opDeep})
			default: // "**/" is nothing, or anything up to a slash
				p.anywhere()
				end++
			}
			i = end
			continue
		}
		n, err := p.glob(pattern[i:], gitClass)
		if err != nil {
			return nil, err
		}
		i += n
	}
	p.add(step{op: opEnd})
	return p, nil
}

// compileDVC translates a .dvcignore pattern without "!", in the way the
// library DVC uses translates it to a regular expression that is matched from
// the beginning of the path relative to the root. Where that differs from
// Git: "a/**" matches a itself, "*/" and "**/" match nothing, and what is
// below a match matches as well.
func compileDVC(pattern string) (*program, error) {
	p := &program{}
	segs := strings.Split(pattern, "/")
	dirOnly := segs[len(segs)-1] == ""
	single := len(segs) == 1 || len(segs) == 2 && dirOnly
	switch {
	case segs[0] == "":
		segs = segs[1:]
	case single && segs[0] != "**":
		segs = append([]string{"**"}, segs...)
	}
	if len(segs) == 0 || len(segs) == 1 && segs[0] == "" {
		return nil, errPattern
	}
	if last := len(segs) - 1; segs[last] == "" {
		segs[last] = "**"
	}
	segs = slices.CompactFunc(segs, func(a, b string) bool { return a == "**" && b == "**" })
	n := len(segs)
	if everything := n == 1 && segs[0] == "**" || n == 2 && segs[0] == "**" && segs[1] == "*"; everything {
		if dirOnly {
			return nothing(), nil
		}
		p.add(step{op: opAll}, step{op: opAccept})
		return p, nil
	}
	if n == 3 && segs[0] == "**" && segs[1] == "*" && segs[2] == "**" {
		return nothing(), nil
	}
	if p.shorten(segs) {
		return p, nil
	}
	for i, seg := range segs {
		last := i == n-1
		switch {
		case seg == "**" && i == 0: // (.+/)?
			p.add(step{op: opMaybe, skip: 4}, step{op: opAll}, step{op: opDeep}, step{op: opChar, char: '/'})
			continue
		case seg == "**" && last:
			p.add(step{op: opSlash})
			continue
		case seg == "**": // (/.+)?
			p.add(step{op: opMaybe, skip: len(p.steps) + 4}, step{op: opChar, char: '/'}, step{op: opAll}, step{op: opDeep})
			continue
		}
		if i > 0 && !(i == 1 && segs[0] == "**") {
			p.add(step{op: opChar, char: '/'})
		}
		if seg == "*" {
			p.add(step{op: opAny})
		}
		for k := 0; k < len(seg); {
			if seg[k] == '*' {
				p.add(step{op: opStar})
				k++
				continue
			}
			size, err := p.glob(seg[k:], dvcClass)
			if err != nil {
				return nil, err
			}
			k += size
		}
		if last {
			p.add(step{op: opEndDir})
		}
	}
	return p, nil
}

// nothing returns a program that matches nothing. Its rule is kept, because it
// parts the rules before it from those after it.
func nothing() *program { return &program{steps: []step{{op: opClass, class: &class{}}}} }

// shorten finds the shortcut for a segmented pattern, if there is one.
func (p *program) shorten(segs []string) bool {
	const special = "*?[\\"
	p.tree = true
	if len(segs) == 2 && segs[0] == "**" {
		p.base = true
		if !strings.ContainsAny(segs[1], special) {
			p.literal = segs[1]
			return p.literal != ""
		}
		if rest := segs[1][1:]; segs[1][0] == '*' && rest != "" && !strings.ContainsAny(rest, special) {
			p.suffix = rest
			return true
		}
		return false
	}
	if strings.ContainsAny(strings.Join(segs, ""), special) {
		return false
	}
	p.literal = strings.Join(segs, "/")
	return p.literal != ""
}

// anywhere adds an optional "anything, then a slash".
func (p *program) anywhere() {
	p.add(step{op: opMaybe, skip: len(p.steps) + 3}, step{op: opDeep}, step{op: opChar, char: '/'})
}

func (p *program) add(s ...step) { p.steps = append(p.steps, s...) }

// glob adds the step for the one character, escape or class that pattern
// begins with, and returns its length. "*" is left to the caller.
func (p *program) glob(pattern string, readClass func(string) (*class, int, error)) (int, error) {
	switch pattern[0] {
	case '?':
		p.add(step{op: opAny})
		return 1, nil
	case '[':
		c, n, err := readClass(pattern)
		if err != nil {
			return 0, err
		}
		p.add(step{op: opClass, class: c})
		return n, nil
	case '\\':
		if len(pattern) == 1 {
			return 0, errPattern
		}
		n := p.literalChar(pattern[1:])
		return n + 1, nil
	}
	return p.literalChar(pattern), nil
}

func (p *program) literalChar(s string) int {
	r, n := rune(s[0]), 1
	if !p.bytes {
		r, n = utf8.DecodeRuneInString(s)
	}
	p.add(step{op: opChar, char: r})
	return n
}
