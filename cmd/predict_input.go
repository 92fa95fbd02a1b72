package cmd

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// maxText bounds a single text, so that a file of another kind does not fill
// the memory.
const maxText = 64 << 20

func validFormat(f string) bool {
	return slices.Contains([]string{"", "text", "csv", "tsv", "jsonl"}, f)
}

// textReader reads texts one by one. Its errors name the file and the line.
type textReader struct {
	name string
	// read returns the next text, io.EOF after the last, and the line it begins
	// on, which also counts for an error.
	read func() (text string, line int, err error)
	// waits, if set, reports whether more would have to be waited for.
	waits func() bool
}

// next returns the next texts: at most count of them, no more once they have
// size bytes, and those there are rather than wait for others. With the last
// ones comes an error, io.EOF at the end.
func (r *textReader) next(count, size int) ([]string, error) {
	var texts []string
	for total := 0; len(texts) < count && total < size; {
		if len(texts) > 0 && r.waits != nil && r.waits() {
			break
		}
		t, line, err := r.read()
		if err != nil {
			if err != io.EOF { //nolint:errorlint // read returns it bare
				err = fmt.Errorf("%s:%d: %w", r.name, line, err)
			}
			return texts, err
		}
		texts = append(texts, t)
		total += len(t)
	}
	return texts, nil
}

// openTexts begins to read the texts of a file. Name is "" or "-" for standard
// input, whose format is guessed when none is given.
func openTexts(in io.Reader, name, format, column string) (*textReader, error) {
	shown := name
	if name == "" || name == "-" {
		shown = "standard input"
	}
	b := bufio.NewReaderSize(in, 1<<16)
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", shown, err)
		}
		b = bufio.NewReaderSize(z, 1<<16)
	}
	if head, _ := b.Peek(3); string(head) == "\uFEFF" {
		_, _ = b.Discard(3) // it is in the buffer
	}
	if format == "" {
		switch ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz"))); ext {
		case ".csv", ".tsv":
			format = ext[1:]
		case ".jsonl", ".ndjson":
			format = "jsonl"
		default:
			format = "text"
			if shown != name {
				format = guessFormat(b, column)
			}
		}
	}
	r := &textReader{name: shown}
	if shown != name {
		r.waits = func() bool { return b.Buffered() == 0 }
	}
	var err error
	switch format {
	case "csv", "tsv":
		r.waits = nil // the decoder reads ahead
		r.read, err = readTable(b, format == "tsv", column)
	case "jsonl":
		r.read = readObjects(b, column)
	default:
		if column != "" {
			return nil, fmt.Errorf("%s: --column %s: lines of text have no columns; say what it is by --format", shown, column)
		}
		r.read = readLines(b)
	}
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w", shown, err)
	}
	return r, nil
}

// guessFormat tells from the first line what there is: an object of JSON, the
// names of columns of which one has texts, or a text.
func guessFormat(b *bufio.Reader, column string) string {
	head, _ := b.Peek(1 << 12)
	line, _, whole := bytes.Cut(head, []byte("\n"))
	text := strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "{") && (!whole || json.Valid([]byte(text))) {
		return "jsonl"
	}
	for _, format := range []string{"csv", "tsv"} {
		c := csv.NewReader(strings.NewReader(text))
		if format == "tsv" {
			c.Comma = '\t'
		}
		if names, err := c.Read(); err == nil {
			if _, err := textColumn(names, column); err == nil && (len(names) > 1 || isTextColumn(names[0], column)) {
				return format
			}
		}
	}
	return "text"
}

// textColumns are the names that columns of texts have, in order of preference.
var textColumns = []string{"review", "text"}

func isTextColumn(name, column string) bool {
	if column != "" {
		return name == column
	}
	return slices.Contains(textColumns, name)
}

// textColumn returns the number of the column that has the texts.
func textColumn(names []string, column string) (int, error) {
	if column != "" {
		if i := slices.Index(names, column); i >= 0 {
			return i, nil
		}
		return 0, fmt.Errorf("no column %q; there are %s", column, strings.Join(names, ", "))
	}
	for _, name := range textColumns {
		if i := slices.Index(names, name); i >= 0 {
			return i, nil
		}
	}
	if len(names) == 1 {
		return 0, nil
	}
	return 0, fmt.Errorf("no column review or text; say by --column which of %s has the texts", strings.Join(names, ", "))
}

// errLong says that a line does not end within reason.
var errLong = fmt.Errorf("a line of more than %d MB", maxText>>20)

// readLine reads a line without its end.
func readLine(b *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := b.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxText {
			return nil, errLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (err != io.EOF || len(line) == 0) { //nolint:errorlint // ReadSlice returns it bare
			return nil, err
		}
		return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r")), nil
	}
}

func readLines(b *bufio.Reader) func() (string, int, error) {
	line := 0
	return func() (string, int, error) {
		line++
		text, err := readLine(b)
		return string(text), line, err
	}
}

func readObjects(b *bufio.Reader, column string) func() (string, int, error) {
	line := 0
	return func() (string, int, error) {
		for {
			line++
			data, err := readLine(b)
			if err != nil {
				return "", line, err
			}
			if len(bytes.TrimSpace(data)) == 0 {
				continue
			}
			text, err := objectText(data, column)
			return text, line, err
		}
	}
}

// objectText returns the text of an object, or a line that is one string.
func objectText(data []byte, column string) (string, error) {
	var text string
	if column == "" && bytes.HasPrefix(bytes.TrimSpace(data), []byte(`"`)) {
		err := json.Unmarshal(data, &text)
		return text, err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return "", fmt.Errorf("not an object of JSON: %w", err)
	}
	names := []string{column}
	if column == "" {
		names = textColumns
	}
	for _, name := range names {
		value, ok := object[name]
		if !ok {
			continue
		}
		if err := json.Unmarshal(value, &text); err != nil || value[0] != '"' {
			return "", fmt.Errorf("%q is not a string", name)
		}
		return text, nil
	}
	return "", fmt.Errorf("no key %s", strings.Join(names, " or "))
}

func readTable(b *bufio.Reader, tabs bool, column string) (func() (string, int, error), error) {
	c := csv.NewReader(&limitLine{b: b})
	c.ReuseRecord = true
	if tabs {
		c.Comma = '\t'
	}
	names, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("empty: a line with the names of the columns is wanted")
	}
	if err != nil {
		return nil, unwrapCSV(err)
	}
	number, err := textColumn(names, column)
	if err != nil {
		return nil, err
	}
	return func() (string, int, error) {
		record, err := c.Read()
		var fault *csv.ParseError
		switch {
		case errors.As(err, &fault):
			return "", fault.StartLine, unwrapCSV(err)
		case err != nil:
			line, _ := c.FieldPos(0)
			return "", line, err
		}
		line, _ := c.FieldPos(0)
		return strings.Clone(record[number]), line, nil
	}, nil
}

// unwrapCSV leaves out the place, which is given in flow's way.
func unwrapCSV(err error) error {
	var fault *csv.ParseError
	if errors.As(err, &fault) {
		return fault.Err
	}
	return err
}

// limitLine fails when quotes that are never closed swallow a file.
type limitLine struct {
	b     *bufio.Reader
	since int
}

func (l *limitLine) Read(p []byte) (int, error) {
	n, err := l.b.Read(p)
	if i := bytes.LastIndexByte(p[:n], '\n'); i >= 0 {
		l.since = n - i
	} else {
		l.since += n
	}
	if l.since > maxText {
		return 0, errLong
	}
	return n, err
}
