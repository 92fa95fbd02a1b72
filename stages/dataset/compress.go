package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxRatio is how many times its size a source may grow: text shrinks to
	// a fifth or so, and a bomb to a thousandth.
	maxRatio = 200
	// ratioFrom is the size from which on the ratio is looked at.
	ratioFrom = 16 << 20
	// zstdMemory bounds the window that a zstd file may ask for.
	zstdMemory = 256 << 20
)

// decompress finds out the compression by the first bytes. The reader that it
// returns gives at most limit bytes. done releases what it holds.
func decompress(r io.Reader, limit int64) (br *bufio.Reader, done func(), err error) {
	in := &counting{r: r}
	br = bufio.NewReaderSize(in, 1<<18)
	done = func() {}
	magic, _ := br.Peek(4)
	var out io.Reader
	switch {
	case bytes.HasPrefix(magic, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, nil, fmt.Errorf("decompress: %w", err)
		}
		out = z
	case bytes.Equal(magic, []byte("\x28\xb5\x2f\xfd")):
		z, err := zstd.NewReader(br, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory), zstd.WithDecoderMaxMemory(1<<62))
		if err != nil {
			return nil, nil, fmt.Errorf("decompress: %w", err)
		}
		out, done = z, z.Close
	default:
		return bufio.NewReaderSize(&proportion{r: br, limit: limit}, 1<<18), done, nil
	}
	return bufio.NewReaderSize(&proportion{r: out, in: in, limit: limit}, 1<<18), done, nil
}

type counting struct {
	r io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// proportion gives up on a source that grows without bounds.
type proportion struct {
	r io.Reader
	// in, if set, counts the compressed bytes.
	in       *counting
	n, limit int64
}

var errBomb = errors.New("decompressed, the source grows out of all proportion")

func (b *proportion) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	b.n += int64(n)
	switch {
	case b.n > b.limit:
		return 0, fmt.Errorf("the source is larger than %d bytes", b.limit)
	case b.in != nil && b.n > ratioFrom && b.n/maxRatio > b.in.n:
		return 0, fmt.Errorf("%w: %d bytes from %d", errBomb, b.n, b.in.n)
	case err != nil && !errors.Is(err, io.EOF) && b.in != nil:
		return n, fmt.Errorf("decompress: %w", err)
	}
	return n, err
}

// foreign names a format that is none of a source's, "" for none known.
func foreign(br *bufio.Reader) string {
	head, _ := br.Peek(8)
	for magic, name := range map[string]string{
		"PK\x03\x04": "a zip archive", "PAR1": "a Parquet file", "\x7fELF": "a program", "%PDF": "a PDF",
		"BZh": "compressed with bzip2", "\xfd7zXZ": "compressed with xz", "7z\xbc\xaf": "a 7z archive",
	} {
		if bytes.HasPrefix(head, []byte(magic)) {
			return name
		}
	}
	return ""
}

// isTar looks for the mark of a tar archive's first header, which archives of
// the oldest kind do not have, and at the name.
func isTar(location string, br *bufio.Reader) bool {
	for _, end := range []string{".tar", ".tar.gz", ".tgz", ".tar.zst"} {
		if strings.HasSuffix(strings.ToLower(location), end) {
			return true
		}
	}
	head, _ := br.Peek(262)
	return len(head) == 262 && string(head[257:262]) == "ustar"
}

func isSQLite(file string) (bool, error) {
	f, err := os.Open(file) //nolint:gosec // the path is the stage's declared dependency
	if err != nil {
		return false, err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	head := make([]byte, 16)
	if _, err := io.ReadFull(f, head); err != nil {
		return false, nil //nolint:nilerr // a short file is none
	}
	return string(head) == "SQLite format 3\x00", nil
}
