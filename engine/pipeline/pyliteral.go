package pipeline

import (
	"errors"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// literal reads a Python literal from tokens.
type literal struct {
	t     []pyToken
	at    int
	depth int
}

func (l *literal) peek() string {
	if l.at < len(l.t) && l.t[l.at].kind == opToken {
		return l.t[l.at].text
	}
	return ""
}

// tuple reads one value, or several with commas between as a list.
func (l *literal) tuple() (any, bool) {
	v, ok := l.value()
	if !ok || l.peek() != "," {
		return v, ok
	}
	list := []any{v}
	for l.peek() == "," {
		l.at++
		if l.at == len(l.t) || l.peek() == ")" {
			break
		}
		v, ok := l.value()
		if !ok {
			return nil, false
		}
		list = append(list, v)
	}
	return list, true
}

func (l *literal) value() (any, bool) {
	if l.at >= len(l.t) {
		return nil, false
	}
	l.depth++
	defer func() { l.depth-- }()
	if l.depth > maxNesting {
		return nil, false
	}
	tok := l.t[l.at]
	switch tok.kind {
	case numberToken:
		l.at++
		return pyNumber(tok.text)
	case stringToken:
		return l.strings()
	case nameToken:
		l.at++
		switch tok.text {
		case "None":
			return nil, true
		case "True":
			return true, true
		case "False":
			return false, true
		case "set":
			if l.peek() == "(" && l.at+1 < len(l.t) && l.t[l.at+1].text == ")" {
				l.at += 2
				return []any{}, true
			}
		}
		return nil, false
	}
	switch tok.text {
	case "-", "+":
		return l.signed(tok.text)
	case "(":
		return l.group()
	case "[":
		return l.list("]", false)
	case "{":
		return l.braces()
	}
	return nil, false
}

// signed reads a number with one sign.
func (l *literal) signed(sign string) (any, bool) {
	l.at++
	for l.peek() == "(" { // -(1)
		v, ok := l.group()
		return negate(v, sign == "-", ok)
	}
	if l.at >= len(l.t) || l.t[l.at].kind != numberToken {
		return nil, false
	}
	v, ok := pyNumber(l.t[l.at].text)
	l.at++
	return negate(v, sign == "-", ok)
}

func negate(v any, minus, ok bool) (any, bool) {
	if !ok {
		return nil, false
	}
	switch v := v.(type) {
	case int64:
		if minus {
			return -v, true
		}
		return v, true
	case float64:
		if minus {
			return -v, true
		}
		return v, true
	case *big.Int:
		if minus {
			v = new(big.Int).Neg(v)
			if v.IsInt64() {
				return v.Int64(), true
			}
		}
		return v, true
	}
	return nil, false
}

// group reads a value in parentheses, or a tuple.
func (l *literal) group() (any, bool) {
	l.at++
	if l.peek() == ")" {
		l.at++
		return []any{}, true
	}
	v, ok := l.tuple()
	if !ok || l.peek() != ")" {
		return nil, false
	}
	l.at++
	return v, true
}

// list reads elements up to the closing bracket; those of a set only once.
func (l *literal) list(end string, set bool) (any, bool) {
	l.at++
	list := []any{}
	for l.peek() != end {
		v, ok := l.value()
		if !ok {
			return nil, false
		}
		list = appendElement(list, v, set)
		if l.peek() == "," {
			l.at++
		} else if l.peek() != end {
			return nil, false
		}
	}
	l.at++
	return list, true
}

func appendElement(list []any, v any, set bool) []any {
	if set {
		for _, e := range list {
			if yaml12.Equal(e, v) {
				return list
			}
		}
	}
	return append(list, v)
}

// braces reads a dict or a set.
func (l *literal) braces() (any, bool) {
	start := l.at
	l.at++
	m := &yaml12.Map{}
	for l.peek() != "}" {
		key, ok := l.value()
		if !ok {
			return nil, false
		}
		if l.peek() != ":" {
			if len(m.Items) > 0 {
				return nil, false
			}
			l.at = start
			return l.list("}", true)
		}
		l.at++
		v, ok := l.value()
		if !ok || !hashable(key) {
			return nil, false
		}
		putItem(m, key, v)
		if l.peek() == "," {
			l.at++
		} else if l.peek() != "}" {
			return nil, false
		}
	}
	l.at++
	return m, true
}

// hashable reports whether a value can be a key here; tuples are left out.
func hashable(v any) bool {
	switch v.(type) {
	case []any, *yaml12.Map:
		return false
	}
	return true
}

func putItem(m *yaml12.Map, key, v any) {
	for i, it := range m.Items {
		if yaml12.Equal(it.Key, key) {
			m.Items[i].Value = v
			return
		}
	}
	m.Items = append(m.Items, yaml12.Item{Key: key, Value: v})
}

// strings reads string literals side by side as one.
func (l *literal) strings() (any, bool) {
	var b strings.Builder
	for l.at < len(l.t) && l.t[l.at].kind == stringToken {
		s, ok := pyString(l.t[l.at].text)
		if !ok {
			return nil, false
		}
		b.WriteString(s)
		l.at++
	}
	return b.String(), true
}

// pyNumber is the value of a number; imaginary ones are not read.
func pyNumber(s string) (any, bool) {
	if strings.Contains(s, "__") || strings.HasSuffix(s, "_") {
		return nil, false
	}
	low := strings.ToLower(s)
	base := 10
	switch {
	case strings.HasPrefix(low, "0x"):
		base = 16
	case strings.HasPrefix(low, "0o"):
		base = 8
	case strings.HasPrefix(low, "0b"):
		base = 2
	}
	if base == 10 && strings.ContainsAny(low, ".e") {
		if strings.ContainsAny(low, "xpinjdf") || strings.Contains(low, "_.") || strings.Contains(low, "._") ||
			strings.Contains(low, "_e") || strings.Contains(low, "e_") {
			return nil, false
		}
		f, err := strconv.ParseFloat(strings.ReplaceAll(low, "_", ""), 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, false
		}
		return f, true
	}
	digits := strings.ReplaceAll(low, "_", "")
	if base != 10 {
		digits = digits[2:]
	} else if len(digits) > 1 && digits[0] == '0' && strings.Trim(digits, "0") != "" {
		return nil, false // 012
	}
	if len(digits) > 4300 && base == 10 {
		return nil, false
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return nil, false
	}
	if n.IsInt64() {
		return n.Int64(), true
	}
	return n, true
}

// pyString is the value of a string literal; bytes and formatted strings are
// not read.
func pyString(s string) (string, bool) {
	q := strings.IndexAny(s, `"'`)
	raw := false
	switch strings.ToLower(s[:q]) {
	case "", "u":
	case "r":
		raw = true
	default:
		return "", false
	}
	n := 1
	if len(s)-q >= 6 && s[q] == s[q+1] && s[q] == s[q+2] {
		n = 3
	}
	body := s[q+n : len(s)-n]
	body = strings.ReplaceAll(strings.ReplaceAll(body, "\r\n", "\n"), "\r", "\n")
	if raw || !strings.Contains(body, `\`) {
		return body, true
	}
	return unescapePython(body)
}

func unescapePython(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(c)
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'v':
			b.WriteByte('\v')
		case 'x', 'u', 'U':
			n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
			if i+n >= len(s) {
				return "", false
			}
			code, err := strconv.ParseUint(s[i+1:i+1+n], 16, 32)
			if err != nil || code > utf8.MaxRune || 0xd800 <= code && code < 0xe000 {
				return "", false
			}
			b.WriteRune(rune(code))
			i += n
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := 1
			for n < 3 && i+n < len(s) && '0' <= s[i+n] && s[i+n] <= '7' {
				n++
			}
			code, _ := strconv.ParseUint(s[i:i+n], 8, 16)
			b.WriteRune(rune(code))
			i += n - 1
		case 'N':
			return "", false // names of characters are not known here
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String(), true
}
