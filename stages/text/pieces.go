package text

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Piece is what white space separates in a text, text[Start:End], and how many
// words cleaning makes of it.
type Piece struct {
	Start, End, Words int
}

// AppendPieces cleans what white space separates in a text piece by piece. It
// appends the cleaned text to dst, the same bytes that [Cleaner.Append] would,
// and the pieces that have words to list. It reports false, and appends nothing,
// where what becomes of a piece may depend on others: with tags, final sigmas,
// or steps that look at several words or are not in the default order.
func (c *Cleaner) AppendPieces(dst []byte, s string, list []Piece) ([]byte, []Piece, bool) {
	if !c.fused || c.options.Lowercase && containsSigma(s) || c.options.Markup && strings.IndexByte(s, '<') >= 0 {
		return dst, list, false
	}
	sc := c.take()
	defer c.scratch.put(sc)
	start := len(dst)
	for at := 0; at < len(s); {
		end := at
		size := 0 // of the white space that ends the piece
		for end < len(s) {
			b := s[end]
			if b > ' ' && b < utf8.RuneSelf {
				end++
				continue
			}
			r, n := utf8.DecodeRuneInString(s[end:])
			if isSpace(r) {
				size = n
				break
			}
			end += n
		}
		if end > at {
			before := len(dst)
			if before > start {
				dst = append(dst, ' ')
			}
			first := len(dst)
			if dst = c.scan(sc, dst, s[at:end]); len(dst) == first {
				dst = dst[:before]
			} else {
				list = append(list, Piece{at, end, 1 + bytes.Count(dst[first:], []byte{' '})})
			}
		}
		at = end + size
	}
	return dst, list, true
}
