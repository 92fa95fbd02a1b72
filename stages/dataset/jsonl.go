package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// readJSONLines reads one JSON object a line. The label may be a string, a
// number, true or false.
func readJSONLines(ctx context.Context, r io.Reader, b *builder) error {
	l := &lineReader{r: bufio.NewReaderSize(r, 1<<16), max: b.source.Limits.withDefaults().Record}
	seen := false
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		line, err := l.next()
		switch {
		case errors.Is(err, io.EOF):
			if !seen && b.stats.Bad == 0 {
				return b.source.fail("want one JSON object a line", "is empty")
			}
			return nil
		case errors.Is(err, errRecordTooLong):
			return b.source.fail("want one JSON object a line", "line %d is longer than %d bytes", l.line+1, l.max)
		case err != nil:
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if l.line == 1 && line[0] == '[' {
			return b.source.fail("write one object a line, as pandas does with orient=\"records\", lines=True", "is one JSON array")
		}
		if err := b.addJSON(fmt.Sprintf("line %d", l.line), line, &seen); err != nil {
			return err
		}
	}
}

// addJSON takes one object. The first that lacks a column is an error; later
// ones are bad rows.
func (b *builder) addJSON(where string, line []byte, seen *bool) error {
	if !utf8.Valid(line) {
		return b.bad(where, "is not UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return b.bad(where, "no JSON object: %v", err)
	}
	for _, name := range []string{b.source.text(), b.source.label()} {
		if _, ok := object[name]; ok {
			continue
		}
		if *seen {
			return b.bad(where, "no %q", name)
		}
		keys := make([]string, 0, len(object))
		for k := range object {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		return b.source.fail("name the columns: columns: {text: …, label: …}", "%s: no %q; keys are %.500q", where, name, keys[:min(len(keys), 20)])
	}
	*seen = true
	var text *string
	if err := json.Unmarshal(object[b.source.text()], &text); err != nil || text == nil {
		return b.bad(where, "%s is no string", b.source.text())
	}
	var label string
	raw := object[b.source.label()]
	switch raw[0] {
	case '"':
		if err := json.Unmarshal(raw, &label); err != nil {
			return b.bad(where, "%s: %v", b.source.label(), err)
		}
	case '{', '[', 'n':
		return b.bad(where, "%s is no string, number or truth value", b.source.label())
	default:
		label = string(raw)
	}
	return b.add(where, *text, label)
}

// lineReader reads lines of up to max bytes.
type lineReader struct {
	r    *bufio.Reader
	max  int64
	line int
	buf  []byte
}

// next returns a line, valid until the next call, and io.EOF after the last.
func (l *lineReader) next() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		l.buf = append(l.buf, part...)
		if int64(len(l.buf)) > l.max {
			return nil, errRecordTooLong
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(l.buf) == 0) {
			return nil, err
		}
		l.line++
		return l.buf, nil
	}
}
