package features

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
	"unicode"
)

// The token patterns by scikit-learn's default and two relatives.
const (
	// DefaultPattern finds words of two or more characters.
	DefaultPattern = `(?u)\b\w\w+\b`
	// ShortWordsPattern finds words of one character too.
	ShortWordsPattern = `(?u)\w+`
	// MarksPattern finds words and, each by itself, punctuation marks.
	MarksPattern = `(?u)\w+|[^\w\s]`
)

// pattern finds tokens in a text. There are three ways, the fastest that fits.
type pattern struct {
	// least is the number of characters of a word, when tokens are whole runs
	// of word characters, and marks says that other characters that are no
	// white space are tokens too. Without a pattern of such a kind least is 0.
	least int
	marks bool
	// run must match the whole of a run of word characters.
	run *regexp.Regexp
	// any finds tokens; group is 1 when they are what its group matches.
	any   *regexp.Regexp
	group int
}

// plain are the patterns of whole words.
var plain = regexp.MustCompile(`^(?:\\b)?(?:\\w\+|(\\w)\\w\+|\\w\{(\d+),\})(?:\\b)?(\|\[\^\\w\\s\])?$`)

// CheckPattern reports whether a token pattern is supported. Patterns are
// those of Python's re, where \w, \d, \s and \b go by Unicode:
//
//   - whole words, as \b\w\w+\b, \w+ or \w{3,}, alone or with the alternative
//     [^\w\s] for punctuation marks, have scanners of their own;
//   - \b…\b around a pattern that matches word characters only;
//   - patterns without \b, look-around and back references, with one group at
//     most.
//
// All take time that is linear in the text.
func CheckPattern(p string) error {
	_, err := parsePattern(p)
	return err
}

// patternError says what is wrong with a pattern and what to write instead.
type patternError struct{ pattern, fault string }

func (e *patternError) Error() string { return fmt.Sprintf("token_pattern %q: %s", e.pattern, e.fault) }

// Hint says which patterns are supported.
func (e *patternError) Hint() string {
	return `supported are whole words such as \b\w\w+\b, \w+ or \w+|[^\w\s], \b…\b around word characters, and patterns without \b, look-around, back references and a second group`
}

func parsePattern(source string) (*pattern, error) {
	fail := func(fault string) (*pattern, error) { return nil, &patternError{source, fault} }
	body := strings.TrimPrefix(source, "(?u)")
	if body == "" {
		return fail("empty")
	}
	if m := plain.FindStringSubmatch(body); m != nil {
		p := &pattern{least: 1, marks: m[3] != ""}
		if m[1] != "" {
			p.least = 2
		}
		if m[2] != "" {
			n, err := strconv.Atoi(m[2])
			if err != nil || n < 1 || n > 1000 {
				return fail("a word has 1 to 1000 characters")
			}
			p.least = n
		}
		return p, nil
	}
	inner, bounded := body, false
	if strings.HasPrefix(body, `\b`) && strings.HasSuffix(body, `\b`) && len(body) > 4 {
		inner, bounded = body[2:len(body)-2], true
		if strings.Contains(strings.ReplaceAll(inner, `\\`, ""), "|") && !strings.HasPrefix(inner, "(") {
			return fail(`an alternative beside \b needs a group (?:…) around all of it`)
		}
	}
	translated, fault := translate(inner)
	if fault != "" {
		return fail(fault)
	}
	if bounded {
		re, err := regexp.Compile(`\A(?:` + translated + `)\z`)
		if err != nil {
			return fail(err.Error())
		}
		tree, err := syntax.Parse(translated, syntax.Perl)
		if err != nil {
			return fail(err.Error())
		}
		if re.NumSubexp() > 0 {
			return fail(`a group inside of \b…\b`)
		}
		if !wordsOnly(tree) {
			return fail(`\b around more than word characters`)
		}
		return &pattern{run: re}, nil
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return fail(err.Error())
	}
	if re.NumSubexp() > 1 {
		return fail("more than one group")
	}
	return &pattern{any: re, group: re.NumSubexp()}, nil
}

// What Python's classes match, for use inside of brackets.
var pythonClasses = map[byte]string{
	'w': `\p{L}\p{N}_`,
	'd': `\p{Nd}`,
	's': `\t-\r\x{1c}-\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`,
}

// translate writes a pattern of Python's re for package regexp. It returns what
// cannot be said there as a fault.
func translate(p string) (out, fault string) {
	var b strings.Builder
	class := false
	for i := 0; i < len(p); i++ {
		switch ch := p[i]; {
		case ch == '\\' && i+1 < len(p):
			i++
			ch = p[i]
			set, known := pythonClasses[ch|0x20]
			switch {
			case known && ch >= 'a' && class:
				b.WriteString(set)
			case known && ch >= 'a':
				b.WriteString("[" + set + "]")
			case known && class:
				return "", `\` + string(ch) + " inside of brackets"
			case known:
				b.WriteString("[^" + set + "]")
			case ch == 'b' && class:
				b.WriteString(`\x08`)
			case ch == 'b' || ch == 'B':
				return "", `\` + string(ch) + ` other than around the whole pattern`
			case ch == 'Z':
				b.WriteString(`\z`)
			case ch >= '1' && ch <= '9':
				return "", "a back reference"
			case ch == 'u' && i+4 < len(p):
				b.WriteString(`\x{` + p[i+1:i+5] + `}`)
				i += 4
			case ch == 'p' || ch == 'P' || ch == 'Q' || ch == 'E' || ch == 'C' || ch == 'z':
				return "", `\` + string(ch) + ", which Python does not know"
			default:
				b.WriteByte('\\')
				b.WriteByte(ch)
			}
		case ch == '[' && !class:
			class = true
			b.WriteByte(ch)
			if i+1 < len(p) && p[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(p) && p[i+1] == ']' {
				i++
				b.WriteString(`\]`)
			}
		case ch == '[': // a literal, as Python reads it
			b.WriteString(`\[`)
		case ch == ']':
			class = false
			b.WriteByte(ch)
		case ch == '(' && !class && strings.HasPrefix(p[i:], "(?"):
			switch {
			case strings.HasPrefix(p[i:], "(?:"), strings.HasPrefix(p[i:], "(?P<"):
			case strings.HasPrefix(p[i:], "(?i)") && i == 0, strings.HasPrefix(p[i:], "(?i:"):
			default:
				return "", "look-around or a flag"
			}
			b.WriteByte(ch)
		default:
			b.WriteByte(ch)
		}
	}
	return b.String(), ""
}

// wordsOnly reports whether an expression matches nothing but word characters.
func wordsOnly(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			if !isWord(r) {
				return false
			}
		}
		return true
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
				if !isWord(r) {
					return false
				}
			}
		}
		return true
	case syntax.OpCapture, syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat, syntax.OpConcat, syntax.OpAlternate:
		for _, s := range re.Sub {
			if !wordsOnly(s) {
				return false
			}
		}
		return true
	}
	return re.Op == syntax.OpEmptyMatch
}

// isWord is Python's \w.
func isWord(r rune) bool {
	return r == '_' || r != unicode.ReplacementChar && (unicode.IsLetter(r) || unicode.IsNumber(r))
}

// isSpace is Python's \s.
func isSpace(r rune) bool {
	switch {
	case r < 0x80:
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	case r == 0x85 || r == 0xa0 || r == 0x1680 || r >= 0x2000 && r <= 0x200a:
		return true
	}
	return r == 0x2028 || r == 0x2029 || r == 0x202f || r == 0x205f || r == 0x3000
}
