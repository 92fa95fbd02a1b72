package python

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/flowrepro/flow/internal/yaml12"
)

// JSON returns json.dumps(v, sort_keys=True): separators ", " and ": ", ASCII
// only, floats as FloatRepr but NaN, Infinity and -Infinity for those that are
// not finite. Keys are sorted by code point; those that are not text become
// text as Python does it.
func JSON(v any) []byte { return AppendJSON(nil, v) }

// AppendJSON appends JSON(v) to dst.
func AppendJSON(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int:
		return strconv.AppendInt(dst, int64(v), 10)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case *big.Int:
		return v.Append(dst, 10)
	case float64:
		return append(dst, jsonFloat(v)...)
	case string:
		return AppendJSONString(dst, v)
	case yaml12.Timestamp:
		return AppendJSONString(dst, string(v))
	}
	if items, ok := mapping(v); ok {
		return appendObject(dst, items)
	}
	if list, ok := sequence(v); ok {
		dst = append(dst, '[')
		for i, e := range list {
			if i > 0 {
				dst = append(dst, ", "...)
			}
			dst = AppendJSON(dst, e)
		}
		return append(dst, ']')
	}
	return AppendJSONString(dst, fmt.Sprint(v))
}

func appendObject(dst []byte, items []yaml12.Item) []byte {
	type entry struct {
		key   string
		value any
		// number orders numeric keys before they become text.
		number  float64
		numeric bool
	}
	list := make([]entry, len(items))
	for i, it := range items {
		list[i] = entry{key: jsonKey(it.Key), value: it.Value}
		switch k := it.Key.(type) {
		case int:
			list[i].number, list[i].numeric = float64(k), true
		case int64:
			list[i].number, list[i].numeric = float64(k), true
		case float64:
			list[i].number, list[i].numeric = k, true
		}
	}
	slices.SortStableFunc(list, func(a, b entry) int {
		if a.numeric && b.numeric && a.number != b.number {
			if a.number < b.number {
				return -1
			}
			return 1
		}
		if a.key < b.key {
			return -1
		}
		if a.key > b.key {
			return 1
		}
		return 0
	})
	dst = append(dst, '{')
	for i, e := range list {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = AppendJSONString(dst, e.key)
		dst = append(dst, ": "...)
		dst = AppendJSON(dst, e.value)
	}
	return append(dst, '}')
}

func jsonKey(k any) string {
	switch k := k.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(k)
	case float64:
		return jsonFloat(k)
	}
	return Str(k)
}

func jsonFloat(f float64) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	return FloatRepr(f)
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string with Python's escapes: all but
// space to ~ is escaped, / < > & are not. Bytes that are not UTF-8 become
// lone surrogates, as Python keeps them.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, `\n`...)
			case '\r':
				dst = append(dst, `\r`...)
			case '\t':
				dst = append(dst, `\t`...)
			case '\b':
				dst = append(dst, `\b`...)
			case '\f':
				dst = append(dst, `\f`...)
			default:
				if c >= ' ' && c <= '~' {
					dst = append(dst, c)
				} else {
					dst = appendEscape(dst, rune(c))
				}
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			dst = appendEscape(dst, 0xdc00+rune(c))
		case r >= 0x10000:
			hi, lo := utf16.EncodeRune(r)
			dst = appendEscape(appendEscape(dst, hi), lo)
		default:
			dst = appendEscape(dst, r)
		}
		i += n
	}
	return append(dst, '"')
}

func appendEscape(dst []byte, r rune) []byte {
	return append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

// mapping returns the items of a map, in its order or, for Go's maps, sorted.
func mapping(v any) ([]yaml12.Item, bool) {
	var items []yaml12.Item
	switch v := v.(type) {
	case *yaml12.Map:
		if v == nil {
			return nil, true
		}
		return v.Items, true
	case map[string]any:
		for k, e := range v {
			items = append(items, yaml12.Item{Key: k, Value: e})
		}
	case map[string]string:
		for k, e := range v {
			items = append(items, yaml12.Item{Key: k, Value: e})
		}
	default:
		return nil, false
	}
	slices.SortFunc(items, func(a, b yaml12.Item) int {
		if a.Key.(string) < b.Key.(string) {
			return -1
		}
		return 1
	})
	return items, true
}

func sequence(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case []string:
		list := make([]any, len(v))
		for i, s := range v {
			list[i] = s
		}
		return list, true
	}
	return nil, false
}
