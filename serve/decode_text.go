package serve

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// onlyField reads a form whose only field is text, as the page's is. What is not
// exactly that is not ok.
func onlyField(body []byte) (text string, ok bool) {
	if body, ok = bytes.CutPrefix(body, []byte("text=")); !ok {
		return "", false
	}
	out := make([]byte, len(body))
	n := 0
	for i := 0; i < len(body); i++ {
		b := body[i]
		switch b {
		case '+':
			b = ' '
		case '&', ';':
			return "", false
		case '%':
			if i+2 >= len(body) {
				return "", false
			}
			r, ok := readHex(body[i+1 : i+3])
			if !ok {
				return "", false
			}
			b, i = byte(r), i+2
		}
		out[n] = b
		n++
	}
	return strings.ToValidUTF8(string(out[:n]), "\uFFFD"), true
}

// readHex reads hexadecimal digits, four at most.
func readHex(digits []byte) (r rune, ok bool) {
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// onlyText reads {"text": "…"}, which is most of the requests, without the detours
// of a decoder for any JSON. What is not exactly that is not ok.
func onlyText(body []byte) (text string, ok bool) {
	body, ok = bytes.CutPrefix(skipSpace(body), []byte(`{`))
	if !ok {
		return "", false
	}
	if body, ok = bytes.CutPrefix(skipSpace(body), []byte(`"text"`)); !ok {
		return "", false
	}
	if body, ok = bytes.CutPrefix(skipSpace(body), []byte(`:`)); !ok {
		return "", false
	}
	if text, body, ok = readString(skipSpace(body)); !ok {
		return "", false
	}
	if body, ok = bytes.CutPrefix(skipSpace(body), []byte(`}`)); !ok {
		return "", false
	}
	return text, len(skipSpace(body)) == 0
}

func skipSpace(body []byte) []byte {
	for len(body) > 0 && (body[0] == ' ' || body[0] == '\n' || body[0] == '\r' || body[0] == '\t') {
		body = body[1:]
	}
	return body
}

// readString reads the JSON string that a body begins with, and returns what
// follows it. One that is malformed, or not UTF-8, is not ok.
func readString(body []byte) (text string, rest []byte, ok bool) {
	if len(body) == 0 || body[0] != '"' {
		return "", nil, false
	}
	body = body[1:]
	var out strings.Builder
	for {
		n := 0
		for n < len(body) && body[n] != '"' && body[n] != '\\' && body[n] >= ' ' {
			n++
		}
		switch {
		case n == len(body) || body[n] < ' ' || !utf8.Valid(body[:n]):
			return "", nil, false
		case body[n] == '"' && out.Len() == 0:
			return string(body[:n]), body[n+1:], true
		}
		if out.Len() == 0 {
			out.Grow(min(len(body), 2*n+1<<10))
		}
		out.Write(body[:n])
		if body[n] == '"' {
			return out.String(), body[n+1:], true
		}
		r, size := readEscape(body[n:])
		if size == 0 {
			return "", nil, false
		}
		out.WriteRune(r)
		body = body[n+size:]
	}
}

// readEscape reads the escaped character that a body begins with. The size is 0
// for what is malformed or half of a pair.
func readEscape(body []byte) (r rune, size int) {
	if len(body) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`"\/bfnrt`, body[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	if body[1] != 'u' || len(body) < 6 {
		return 0, 0
	}
	r, ok := readHex(body[2:6])
	if !ok || utf16.IsSurrogate(r) {
		return 0, 0 // half of a pair is left to the decoder
	}
	return r, 6
}
