package cache

import (
	"bytes"
	"crypto/md5" //nolint:gosec // see digest.go
	"hash"
)

// textChunk is the size of the pieces that DVC 2.x read a file in; whether
// line ends are normalized is decided for each piece on its own.
const textChunk = 1 << 20

// textProbe is how much of a piece is looked at to tell text from binary.
const textProbe = 512

// textMD5 is MD5 of the content with CRLF turned into LF in every chunk that
// looks like text. A CRLF that spans two chunks stays, as in DVC. The result
// does not depend on how the content is cut into Writes.
type textMD5 struct {
	md5 hash.Hash
	buf []byte // the unfinished chunk, always shorter than textChunk
}

func newTextMD5() hash.Hash { return &textMD5{md5: md5.New()} } //nolint:gosec // see digest.go

func (t *textMD5) Size() int      { return md5.Size }
func (t *textMD5) BlockSize() int { return md5.BlockSize }

func (t *textMD5) Reset() {
	t.md5.Reset()
	t.buf = t.buf[:0]
}

func (t *textMD5) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		if len(t.buf) == 0 && len(p) >= textChunk {
			writeText(t.md5, p[:textChunk])
			p = p[textChunk:]
			continue
		}
		k := min(len(p), textChunk-len(t.buf))
		t.buf = append(t.buf, p[:k]...)
		p = p[k:]
		if len(t.buf) == textChunk {
			writeText(t.md5, t.buf)
			t.buf = t.buf[:0]
		}
	}
	return n, nil
}

// Sum works on a copy of the state when a chunk is unfinished, so that writing
// may go on afterwards.
func (t *textMD5) Sum(b []byte) []byte {
	if len(t.buf) == 0 {
		return t.md5.Sum(b)
	}
	c, ok := t.md5.(hash.Cloner)
	if !ok {
		panic("cache: crypto/md5 cannot be cloned") // it can since Go 1.25
	}
	last, err := c.Clone()
	if err != nil {
		panic("cache: clone md5: " + err.Error())
	}
	writeText(last, t.buf)
	return last.(hash.Hash).Sum(b)
}

// writeText hashes one chunk.
func writeText(h hash.Hash, chunk []byte) {
	if !isText(chunk[:min(len(chunk), textProbe)]) {
		h.Write(chunk)
		return
	}
	for {
		i := bytes.Index(chunk, []byte("\r\n"))
		if i < 0 {
			h.Write(chunk)
			return
		}
		h.Write(chunk[:i])
		h.Write(chunk[i+1 : i+2])
		chunk = chunk[i+2:]
	}
}

// isText reports whether block has no NUL and at most 30 % of bytes other than
// printable ASCII and the usual white space.
func isText(block []byte) bool {
	odd := 0
	for _, c := range block {
		switch {
		case c == 0:
			return false
		case c >= 32 && c < 127, c == '\n', c == '\r', c == '\t', c == '\f', c == '\b':
		default:
			odd++
		}
	}
	return len(block) == 0 || float64(odd)/float64(len(block)) <= 0.30
}
