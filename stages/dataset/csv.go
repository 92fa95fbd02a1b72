package dataset

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Row is one labelled review.
type Row struct {
	Review string
	// Label is 1 for a positive review and 0 for a negative one.
	Label int
}

// Stats count what a source held.
type Stats struct {
	// Rows were kept, Skipped have a sentiment that is neither positive nor
	// negative.
	Rows, Skipped int
	// Positive is the number of kept rows with label 1.
	Positive int
}

// The columns of a source.
const (
	reviewColumn    = "review"
	sentimentColumn = "sentiment"
)

// ReadFile reads a source. Progress, when not nil, is told how many bytes of
// the file have been read.
func ReadFile(ctx context.Context, path string, progress func(done, total int64)) ([]Row, Stats, error) {
	f, err := os.Open(path) //nolint:gosec // the path is the stage's declared dependency
	if err != nil {
		return nil, Stats{}, fmt.Errorf("open source: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	var total int64
	if fi, err := f.Stat(); err == nil {
		if fi.IsDir() {
			return nil, Stats{}, fmt.Errorf("read source %s: is a directory; want a CSV file", path)
		}
		total = fi.Size()
	}
	rows, stats, err := Read(ctx, &meter{r: f, total: total, report: progress})
	if err != nil {
		return nil, stats, fmt.Errorf("read source %s: %w", path, err)
	}
	return rows, stats, nil
}

type meter struct {
	r           io.Reader
	done, total int64
	report      func(done, total int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.done += int64(n)
	if m.report != nil && n > 0 {
		m.report(m.done, m.total)
	}
	return n, err
}

// Read reads a source from a stream, which may be compressed with gzip.
func Read(ctx context.Context, r io.Reader) ([]Row, Stats, error) {
	br := bufio.NewReaderSize(r, 1<<18)
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, Stats{}, fmt.Errorf("decompress: %w", err)
		}
		br = bufio.NewReaderSize(z, 1<<18)
	}
	if mark, _ := br.Peek(3); bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		_, _ = br.Discard(3)
	}
	return readRows(ctx, br)
}

func readRows(ctx context.Context, r io.Reader) (rows []Row, stats Stats, err error) {
	cr := csv.NewReader(r)
	cr.ReuseRecord = true
	header, err := cr.Read()
	switch {
	case errors.Is(err, io.EOF):
		return nil, stats, errors.New("empty; want a header with the columns review and sentiment")
	case err != nil:
		return nil, stats, err
	}
	review, sentiment := -1, -1
	for i, name := range header {
		switch strings.TrimSpace(name) {
		case reviewColumn:
			review = i
		case sentimentColumn:
			sentiment = i
		}
	}
	if review < 0 || sentiment < 0 {
		return nil, stats, fmt.Errorf("columns %q: want review and sentiment", header)
	}
	for {
		if len(rows)%1024 == 0 && ctx.Err() != nil {
			return nil, stats, ctx.Err()
		}
		record, err := cr.Read()
		if errors.Is(err, io.EOF) {
			return rows, stats, nil
		}
		if err != nil {
			return nil, stats, err
		}
		label, ok := parseLabel(record[sentiment])
		if !ok {
			stats.Skipped++
			continue
		}
		if !utf8.ValidString(record[review]) {
			line, _ := cr.FieldPos(review)
			return nil, stats, fmt.Errorf("line %d: review is not UTF-8", line)
		}
		// A record's fields share one string; cloning lets the rest go.
		rows = append(rows, Row{Review: strings.Clone(record[review]), Label: label})
		stats.Rows++
		stats.Positive += label
	}
}

func parseLabel(s string) (int, bool) {
	switch s {
	case "positive", "1":
		return 1, true
	case "negative", "0":
		return 0, true
	}
	return 0, false
}

// Write writes rows as CSV with the columns review and sentiment, the latter
// as 1 or 0. The bytes depend on the rows alone.
func Write(ctx context.Context, w io.Writer, rows []Row) error {
	cw := csv.NewWriter(w)
	record := []string{reviewColumn, sentimentColumn}
	if err := cw.Write(record); err != nil {
		return err
	}
	for i, row := range rows {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		record[0], record[1] = row.Review, "0"
		if row.Label == 1 {
			record[1] = "1"
		}
		if err := cw.Write(record); err != nil {
			return err
		}
	}
	cw.Flush()
	return cw.Error()
}

// Reviews returns the texts of rows in order.
func Reviews(rows []Row) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = r.Review
	}
	return out
}

// Labels returns the labels of rows in order.
func Labels(rows []Row) []int {
	out := make([]int, len(rows))
	for i, r := range rows {
		out[i] = r.Label
	}
	return out
}
