package yaml12

import (
	"math"
	"strconv"
)

// FormatFloat returns a float as YAML has it: the shortest digits that read
// back as the same number, laid out as Python does ("1.0", "1e-05"), or .inf,
// -.inf, .nan.
func FormatFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return ".nan"
	case math.IsInf(f, 1):
		return ".inf"
	case math.IsInf(f, -1):
		return "-.inf"
	}
	var buf [32]byte
	text := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	at := len(text) - 1
	for text[at] != 'e' {
		at--
	}
	exp, _ := strconv.Atoi(string(text[at+1:]))
	if exp < -4 || exp >= 16 {
		return string(text)
	}
	text = strconv.AppendFloat(buf[:0], f, 'f', -1, 64)
	for _, c := range text {
		if c == '.' {
			return string(text)
		}
	}
	return string(append(text, ".0"...))
}
