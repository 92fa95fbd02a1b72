package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	sigma           = 'Σ'
	arabicSemicolon = '\u061B'
)

// isSpace reports what Python's str.isspace does, and so \s of its re.
func isSpace(r rune) bool {
	switch {
	case r < utf8.RuneSelf:
		return r == ' ' || r >= '\t' && r <= '\r' || r >= 0x1c && r <= 0x1f
	case r < 0x1680:
		return r == 0x85 || r == 0xa0
	}
	switch r {
	case 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a
}

// isPunctuation reports whether r is in Python's string.punctuation.
func isPunctuation(r rune) bool {
	return r >= '!' && r <= '/' || r >= ':' && r <= '@' || r >= '[' && r <= '`' || r >= '{' && r <= '~'
}

// digitSigns are the characters that Python's str.isdigit accepts besides the
// decimal digits: superscripts, circled digits and the like.
var digitSigns = [...][2]rune{
	{0xb2, 0xb3}, {0xb9, 0xb9}, {0x1369, 0x1371}, {0x19da, 0x19da}, {0x2070, 0x2070},
	{0x2074, 0x2079}, {0x2080, 0x2089}, {0x2460, 0x2468}, {0x2474, 0x247c}, {0x2488, 0x2490},
	{0x24ea, 0x24ea}, {0x24f5, 0x24fd}, {0x24ff, 0x24ff}, {0x2776, 0x277e}, {0x2780, 0x2788},
	{0x278a, 0x2792}, {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
}

func isDigit(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= '0' && r <= '9'
	}
	if unicode.IsDigit(r) {
		return true
	}
	for _, d := range digitSigns {
		if r >= d[0] && r <= d[1] {
			return true
		}
	}
	return false
}

// appendLower appends the lower case of r. Only one letter has a longer one.
func appendLower(dst []byte, r rune) []byte {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return append(dst, byte(r))
	}
	if r == 'İ' {
		return append(dst, "i\u0307"...)
	}
	return utf8.AppendRune(dst, unicode.ToLower(r))
}

// appendLowerGreek lowers a text; a capital sigma at the end of a word becomes
// ς. Marks of negation stay as they are.
func appendLowerGreek(dst, s []byte) []byte {
	runes := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = -rune(s[i])
		}
		runes = append(runes, r)
		i += n
	}
	for i, r := range runes {
		switch {
		case r < 0:
			dst = append(dst, byte(-r))
		case r != sigma:
			dst = appendLower(dst, r)
		case casedNear(runes, i, -1) && !casedNear(runes, i, +1):
			dst = utf8.AppendRune(dst, 'ς')
		default:
			dst = utf8.AppendRune(dst, 'σ')
		}
	}
	return dst
}

// casedNear reports whether the nearest character in a direction that case
// does not ignore is a cased letter.
func casedNear(runes []rune, i, step int) bool {
	for i += step; i >= 0 && i < len(runes); i += step {
		if r := runes[i]; !caseIgnorable(r) {
			return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Uppercase, unicode.Other_Lowercase)
		}
	}
	return false
}

func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', 0xb7, 0x387, 0x55f, 0x5f4, 0x2018, 0x2019, 0x2024, 0x2027,
		0xfe13, 0xfe52, 0xfe55, 0xff07, 0xff0e, 0xff1a:
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// Lower returns what Python's str.lower does.
func Lower(s string) string {
	if strings.ContainsAny(s, "Σİ") {
		return string(appendLowerGreek(nil, appendValid(nil, s)))
	}
	return strings.ToLower(s)
}
