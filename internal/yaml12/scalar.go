package yaml12

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxDigits bounds integers, as Python bounds them: reading more digits takes
// time that grows with their square.
const maxDigits = 4300

// Scalar returns the value of a plain scalar under the YAML 1.2 rules of
// ruamel: nil, bool, int64, *big.Int, float64, Timestamp or string. Text on
// which ruamel itself fails ("-_", "._") is a string.
func Scalar(text string) any {
	switch t, v := resolve(text); t {
	case tagNull:
		return nil
	case tagBool:
		return text[0] == 't' || text[0] == 'T'
	case tagInt, tagFloat:
		return v
	case tagTimestamp:
		return Timestamp(text)
	}
	return text
}

// tag is the type a plain scalar resolves to.
type tag uint8

const (
	tagStr tag = iota
	tagNull
	tagBool
	tagInt
	tagFloat
	tagTimestamp
	tagMerge // <<
	tagValue // =
)

// resolve returns the type of a plain scalar, for numbers with the value.
func resolve(s string) (tag, any) {
	if s == "" {
		return tagNull, nil
	}
	switch c := s[0]; c {
	case '~':
		if s == "~" {
			return tagNull, nil
		}
	case 'n', 'N':
		if s == "null" || s == "Null" || s == "NULL" {
			return tagNull, nil
		}
	case 't', 'T':
		if s == "true" || s == "True" || s == "TRUE" {
			return tagBool, nil
		}
	case 'f', 'F':
		if s == "false" || s == "False" || s == "FALSE" {
			return tagBool, nil
		}
	case '<':
		if s == "<<" {
			return tagMerge, nil
		}
	case '=':
		if s == "=" {
			return tagValue, nil
		}
	case '-', '+', '.', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if isFloat(s) {
			if f, ok := parseFloat(s); ok {
				return tagFloat, f
			}
			return tagStr, nil
		}
		if c != '.' {
			if base, digits, ok := splitInt(s); ok {
				if v := parseInt(base, digits, c == '-'); v != nil {
					return tagInt, v
				}
				return tagStr, nil
			}
			if isTimestamp(s) {
				return tagTimestamp, nil
			}
		}
	}
	return tagStr, nil
}

// looksTyped reports whether ruamel would take the plain scalar s for anything
// but a string, so that it quotes a string of that text.
func looksTyped(s string) bool {
	if t, _ := resolve(s); t != tagStr {
		return true
	}
	// Forms that match ruamel's patterns although they have no value.
	switch s[0] {
	case '-', '+', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		if _, _, ok := splitInt(s); ok {
			return true
		}
	case '.':
	default:
		return false
	}
	return isFloat(s)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// span returns how many leading bytes of s are digits or underscores.
func span(s string) int {
	i := 0
	for i < len(s) && (digit(s[i]) || s[i] == '_') {
		i++
	}
	return i
}

// exponent reports whether s is e or E, a sign (which may be left out unless
// signed) and digits.
func exponent(s string, signed bool) bool {
	if len(s) < 2 || s[0] != 'e' && s[0] != 'E' {
		return false
	}
	s = s[1:]
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	} else if signed {
		return false
	}
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// isFloat reports whether s is written as a float: 1.5, 1., 1e5, .5, .5e+5
// (but not .5e5), .inf, .nan, with underscores among the digits.
func isFloat(s string) bool {
	if s == ".nan" || s == ".NaN" || s == ".NAN" {
		return true
	}
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
		if s == "" {
			return false
		}
	}
	switch {
	case s == ".inf" || s == ".Inf" || s == ".INF":
		return true
	case s[0] == '.':
		n := span(s[1:])
		return n > 0 && (1+n == len(s) || exponent(s[1+n:], true))
	case digit(s[0]):
		s = s[span(s):]
		if s == "" {
			return false
		}
		if s[0] != '.' {
			return exponent(s, false)
		}
		s = s[1:]
		s = s[span(s):]
		return s == "" || exponent(s, false)
	}
	return false
}

func parseFloat(s string) (float64, bool) {
	s = strings.ToLower(strings.ReplaceAll(s, "_", ""))
	switch strings.TrimLeft(s, "+-") {
	case ".inf":
		if s[0] == '-' {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case ".nan":
		return math.NaN(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// splitInt recognizes an integer and returns its base and digits, which may
// hold underscores, without sign and prefix.
func splitInt(s string) (base int, digits string, ok bool) {
	if s[0] == '+' || s[0] == '-' {
		s = s[1:]
	}
	if len(s) > 2 && s[0] == '0' {
		of := func(set string) bool {
			return strings.Trim(s[2:], set) == ""
		}
		switch s[1] {
		case 'b':
			return 2, s[2:], of("01_")
		case 'o':
			return 8, s[2:], of("01234567_")
		case 'x':
			return 16, s[2:], of("0123456789abcdefABCDEF_")
		}
	}
	return 10, s, s != "" && span(s) == len(s)
}

// parseInt returns an int64 or *big.Int, nil when there is no digit or there
// are too many.
func parseInt(base int, digits string, negative bool) any {
	digits = strings.ReplaceAll(digits, "_", "")
	if digits == "" || len(digits) > maxDigits {
		return nil
	}
	if negative {
		digits = "-" + digits
	}
	if i, err := strconv.ParseInt(digits, base, 64); err == nil {
		return i
	}
	if b, ok := new(big.Int).SetString(digits, base); ok {
		return b
	}
	return nil
}

// isTimestamp reports whether s is 2024-01-02 or a date and time: one or two
// digits for month, day and hour, T or blanks between, optional fraction and
// zone.
func isTimestamp(s string) bool {
	c := cursor(s)
	if len(s) == 10 && c.digits(4, 4) && c.skip('-') && c.digits(2, 2) && c.skip('-') && c.digits(2, 2) {
		return true
	}
	c = cursor(s)
	if !c.digits(4, 4) || !c.skip('-') || !c.digits(1, 2) || !c.skip('-') || !c.digits(1, 2) {
		return false
	}
	if !c.skip('T') && !c.skip('t') && !c.blanks() {
		return false
	}
	if !c.digits(1, 2) || !c.skip(':') || !c.digits(2, 2) || !c.skip(':') || !c.digits(2, 2) {
		return false
	}
	if c.skip('.') {
		c.digits(0, len(c))
	}
	if c == "" {
		return true
	}
	c.blanks()
	if c.skip('Z') {
		return c == ""
	}
	if !c.skip('+') && !c.skip('-') || !c.digits(1, 2) {
		return false
	}
	return c == "" || c.skip(':') && c.digits(2, 2) && c == ""
}

// cursor is the rest of a text being matched.
type cursor string

func (c *cursor) digits(least, most int) bool {
	n := 0
	for n < len(*c) && n < most && digit((*c)[n]) {
		n++
	}
	*c = (*c)[n:]
	return n >= least
}

func (c *cursor) skip(b byte) bool {
	if *c == "" || (*c)[0] != b {
		return false
	}
	*c = (*c)[1:]
	return true
}

func (c *cursor) blanks() bool {
	rest := strings.TrimLeft(string(*c), " \t")
	some := len(rest) < len(*c)
	*c = cursor(rest)
	return some
}
