package dataset

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/flowrepro/flow/stages/internal/parallel"
)

// table is how a table of text is written.
type table struct {
	comma rune
	// quotes tells that fields may be quoted.
	quotes bool
	sizes  sizes
}

// recordReader is what encoding/csv's Reader and lines have in common.
type recordReader interface {
	Read() ([]string, error)
	FieldPos(field int) (line, column int)
}

// readTable reads rows of a table whose first line names the columns.
func readTable(ctx context.Context, r io.Reader, t table, b *builder) error {
	limit := &recordLimit{r: r, max: b.source.Limits.withDefaults().Record}
	if !t.quotes {
		records := &lines{lineReader{r: bufio.NewReaderSize(r, 1<<16), max: limit.max}, string(t.comma)}
		columns, err := b.readHeader(records)
		if err != nil {
			return err
		}
		return b.readRecords(ctx, records, columns, limit, progress{})
	}
	quoted := func(r io.Reader) recordReader {
		limit.r = r
		cr := csv.NewReader(limit)
		cr.Comma, cr.ReuseRecord, cr.FieldsPerRecord = t.comma, true, -1
		return cr
	}
	buffer, _, err := t.sizes.fill(nil, r)
	if err != nil {
		return err
	}
	header, size, ok := csvHeader(buffer, t.comma)
	if !ok {
		records := quoted(io.MultiReader(bytes.NewReader(buffer), r))
		columns, err := b.readHeader(records)
		if err != nil {
			return err
		}
		return b.readRecords(ctx, records, columns, limit, progress{})
	}
	columns, err := b.columns(header)
	if err != nil {
		return err
	}
	blocks := &blockReader{comma: t.comma, sizes: t.sizes, columns: columns, record: limit.max, b: b}
	rest, read, err := blocks.read(ctx, buffer[size:], r)
	if err != nil || rest == nil {
		return err
	}
	read.lines += bytes.Count(buffer[:size], []byte{'\n'})
	return b.readRecords(ctx, quoted(rest), columns, limit, read)
}

// progress is how much of a table was read, the header's lines included.
type progress struct{ lines, rows int }

func (b *builder) readHeader(records recordReader) (columns, error) {
	header, err := records.Read()
	if errors.Is(err, io.EOF) {
		return columns{}, b.source.fail(fmt.Sprintf("want a first line with the columns %s and %s", b.source.text(), b.source.label()), "is empty")
	}
	if err != nil {
		return columns{}, err
	}
	return b.columns(header)
}

// readRecords reads row after row, what came before being read already.
func (b *builder) readRecords(ctx context.Context, records recordReader, c columns, limit *recordLimit, read progress) error {
	var quoteFault *csv.ParseError
	for n := read.rows; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		limit.done = 0
		record, err := records.Read()
		var fault *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			if quoteFault != nil && quoteFault.Line > quoteFault.StartLine+1 {
				return b.source.fail("close the quotation, double quotation marks inside of one, or set quoting: none",
					"line %d: a quotation that begins here is never closed", read.lines+quoteFault.StartLine)
			}
			return nil
		case errors.As(err, &fault):
			quoteFault = fault
			if err := b.bad(fmt.Sprintf("line %d", read.lines+fault.StartLine), "%v", fault.Err); err != nil {
				return err
			}
			continue
		case errors.Is(err, errRecordTooLong):
			return b.source.fail("close the quotation that may begin there, or set quoting: none",
				"a row after %d others is longer than %d bytes", n, limit.max)
		case err != nil:
			return err
		}
		quoteFault = nil
		line, _ := records.FieldPos(0)
		where := fmt.Sprintf("line %d", read.lines+line)
		if len(record) != c.width {
			if err := b.bad(where, "%d fields, want %d", len(record), c.width); err != nil {
				return err
			}
			continue
		}
		if err := b.add(where, c.textOf(record), record[c.label]); err != nil {
			return err
		}
	}
}

// columns are the places of the two columns among so many.
type columns struct{ width, text, label int }

// textOf returns the text of a record, which is one string in memory: a copy
// where it would keep more than a label with it.
func (c columns) textOf(record []string) string {
	if c.width == 2 {
		return record[c.text]
	}
	return strings.Clone(record[c.text])
}

// columns finds the two columns by name.
func (b *builder) columns(header []string) (columns, error) {
	text, label := -1, -1
	for i, name := range header {
		switch name = strings.TrimSpace(name); {
		case name == b.source.text() && text < 0:
			text = i
		case name == b.source.label() && label < 0:
			label = i
		}
	}
	for _, c := range []struct {
		name string
		at   int
	}{{b.source.text(), text}, {b.source.label(), label}} {
		if c.at < 0 {
			shown := header[:min(len(header), 20)]
			return columns{}, b.source.fail("name the columns: columns: {text: …, label: …}", "no column %q; columns are %.500q", c.name, shown)
		}
	}
	return columns{len(header), text, label}, nil
}

var errRecordTooLong = errors.New("row is too long")

// recordLimit bounds what is read for one record. Its reader reads ahead, so
// the bound is not exact.
type recordLimit struct {
	r         io.Reader
	done, max int64
}

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.done > l.max {
		return 0, errRecordTooLong
	}
	n, err := l.r.Read(p)
	l.done += int64(n)
	return n, err
}

// lines reads records without quotation: a line each. Empty lines are none.
type lines struct {
	lineReader
	comma string
}

func (l *lines) FieldPos(int) (line, column int) { return l.line, 1 }

func (l *lines) Read() ([]string, error) {
	for {
		line, err := l.next()
		if err != nil {
			return nil, err
		}
		if s := strings.TrimRight(string(line), "\r\n"); s != "" {
			return strings.Split(s, l.comma), nil
		}
	}
}

// Write writes rows as CSV with the columns review and sentiment, the latter
// as 1 or 0. The bytes depend on the rows alone.
func Write(ctx context.Context, w io.Writer, rows []Row) error {
	if _, err := io.WriteString(w, reviewColumn+","+sentimentColumn+"\n"); err != nil {
		return err
	}
	// Blocks are encoded in parallel, so many at once, and written in order.
	const block, wave = 256, 32
	encoded := make([][]byte, wave)
	for at := 0; at < len(rows); at += wave * block {
		part := rows[at:min(at+wave*block, len(rows))]
		err := parallel.Blocks(ctx, len(part), block, 0, func(lo, hi int) error {
			encoded[lo/block] = appendRows(encoded[lo/block][:0], part[lo:hi])
			return nil
		})
		if err != nil {
			return err
		}
		for i := 0; i*block < len(part); i++ {
			if _, err := w.Write(encoded[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// appendRows appends rows as encoding/csv's Writer would write them, which looks
// at every rune and takes more than four times as long.
func appendRows(dst []byte, rows []Row) []byte {
	for _, row := range rows {
		dst = appendField(dst, row.Review)
		if row.Label == 1 {
			dst = append(dst, ",1\n"...)
		} else {
			dst = append(dst, ",0\n"...)
		}
	}
	return dst
}

func appendField(dst []byte, field string) []byte {
	if !needsQuotes(field) {
		return append(dst, field...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(field, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, field[:i]...), `""`...)
		field = field[i+1:]
	}
	return append(append(dst, field...), '"')
}

func needsQuotes(field string) bool {
	if field == "" {
		return false
	}
	first, _ := utf8.DecodeRuneInString(field)
	return strings.IndexByte(field, ',') >= 0 || strings.IndexByte(field, '"') >= 0 ||
		strings.IndexByte(field, '\n') >= 0 || strings.IndexByte(field, '\r') >= 0 ||
		unicode.IsSpace(first) || field == `\.`
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// skipMark passes over a byte order mark, and refuses text in UTF-16.
func skipMark(br *bufio.Reader) error {
	mark, _ := br.Peek(3)
	switch {
	case bytes.Equal(mark, byteOrderMark):
		_, err := br.Discard(3)
		return err
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return errors.New("is UTF-16; convert it to UTF-8: iconv -f UTF-16 -t UTF-8")
	}
	return nil
}
