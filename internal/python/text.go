package python

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// FloatRepr returns repr(f): "1.0", "1e-05", "inf", "nan".
func FloatRepr(f float64) string {
	switch {
	case math.IsNaN(f):
		return "nan"
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	}
	return yaml12.FormatFloat(f)
}

// Str returns str(v): text as it is, "True", "None", "1.0", and lists and maps
// in Python's notation with their elements as Repr has them.
func Str(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case yaml12.Timestamp:
		return string(v)
	}
	return Repr(v)
}

// Repr returns repr(v), which differs from Str in quoting text.
func Repr(v any) string {
	var b strings.Builder
	repr(&b, v)
	return b.String()
}

func repr(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("None")
	case bool:
		if v {
			b.WriteString("True")
		} else {
			b.WriteString("False")
		}
	case int:
		b.WriteString(strconv.Itoa(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case *big.Int:
		b.WriteString(v.String())
	case float64:
		b.WriteString(FloatRepr(v))
	case string:
		quote(b, v)
	case yaml12.Timestamp:
		quote(b, string(v))
	default:
		if items, ok := mapping(v); ok {
			b.WriteByte('{')
			for i, it := range items {
				if i > 0 {
					b.WriteString(", ")
				}
				repr(b, it.Key)
				b.WriteString(": ")
				repr(b, it.Value)
			}
			b.WriteByte('}')
			return
		}
		if list, ok := sequence(v); ok {
			b.WriteByte('[')
			for i, e := range list {
				if i > 0 {
					b.WriteString(", ")
				}
				repr(b, e)
			}
			b.WriteByte(']')
			return
		}
		fmt.Fprint(b, v)
	}
}

// quote writes repr of a text: single quotes unless only those occur in it.
func quote(b *strings.Builder, s string) {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b.WriteByte(q)
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(b, `\udc%02x`, s[i]) // as Python keeps stray bytes
		case r == rune(q) || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(b, `\u%04x`, r)
		default:
			fmt.Fprintf(b, `\U%08x`, r)
		}
		i += n
	}
	b.WriteByte(q)
}

// ShellQuote returns shlex.quote(s): s itself when a POSIX shell takes it as
// one word, else s in single quotes.
func ShellQuote(s string) string {
	if s == "" {
		return "''"
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_@%+=:,./-", c) >= 0:
		default:
			return "'" + strings.ReplaceAll(s, "'", `'"'"'`) + "'"
		}
	}
	return s
}
