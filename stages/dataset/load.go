package dataset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Load reads a source. Progress, when not nil, is told how many bytes of the
// file have been read, or for a database how many rows; a total of 0 is
// unknown. What goes wrong with the source as a whole, a class without rows
// included, is an error; rows that cannot be read are in the Stats.
func Load(ctx context.Context, s Source, progress func(done, total int64, unit string)) (*Set, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if progress == nil {
		progress = func(int64, int64, string) {}
	}
	bytesRead := func(done, total int64) { progress(done, total, "bytes") }
	switch s.scheme() {
	case "":
		return loadPath(ctx, s, s.Location, progress)
	case "postgres", "postgresql", "sqlserver", "mssql":
		return loadSQL(ctx, s, func(done int64) { progress(done, 0, "rows") })
	}
	file, release, err := download(ctx, s, bytesRead)
	if err != nil {
		return nil, err
	}
	defer release()
	set, err := loadPath(ctx, s, file, progress)
	if err != nil {
		return nil, err
	}
	if set.Checksum = s.Checksum; set.Checksum == "" {
		if set.Checksum, err = fileChecksum(file, "sha256"); err != nil {
			return nil, fmt.Errorf("hash source %s: %w", redact(s.Location), err)
		}
	}
	return set, nil
}

// loadPath reads a local file or directory.
func loadPath(ctx context.Context, s Source, file string, progress func(done, total int64, unit string)) (*Set, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	if fi.IsDir() {
		if s.Format != "" && s.Format != "texts" {
			return nil, s.fail("name a file, or leave the format out", "is a directory, not %s", s.Format)
		}
		t := newTexts(&s)
		if err := t.walk(ctx, file); err != nil {
			return nil, fmt.Errorf("read source %s: %w", redact(s.Location), err)
		}
		return t.set()
	}
	if !fi.Mode().IsRegular() {
		return nil, s.fail("name a regular file", "is no file")
	}
	if ok, err := isSQLite(file); err != nil || ok {
		if err != nil {
			return nil, fmt.Errorf("open source: %w", err)
		}
		return loadSQLite(ctx, s, file, func(done int64) { progress(done, 0, "rows") })
	}
	if s.Table != "" || s.Query != "" {
		return nil, s.fail("leave table and query out", "is a file, not a database")
	}
	f, err := os.Open(file) //nolint:gosec // the path is the stage's declared dependency
	if err != nil {
		return nil, fmt.Errorf("open source: %w", err)
	}
	defer f.Close() //nolint:errcheck // opened for reading
	m := &meter{r: f, total: fi.Size(), report: func(done, total int64) { progress(done, total, "bytes") }}
	set, err := s.readFile(ctx, m)
	var known *SourceError
	if err != nil && !errors.As(err, &known) && ctx.Err() == nil {
		err = fmt.Errorf("read source %s: %w", redact(s.Location), err)
	}
	return set, err
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

// readFile reads a file in whatever format and compression.
func (s *Source) readFile(ctx context.Context, r io.Reader) (*Set, error) {
	br, done, err := decompress(r, s.Limits.withDefaults().Bytes)
	if err != nil {
		return nil, err
	}
	defer done()
	format := s.Format
	if isTar(s.Location, br) && (format == "" || format == "texts") {
		t := newTexts(s)
		if err := t.untar(ctx, br); err != nil {
			return nil, err
		}
		return t.set()
	}
	if format == "" {
		format = formatOf(s.Location)
	}
	b := newBuilder(s, false)
	if err := s.readRows(ctx, br, format, b); err != nil {
		return nil, err
	}
	if err := b.checkClasses(); err != nil {
		return nil, err
	}
	return &Set{Rows: b.rows, Stats: b.stats}, nil
}

func (s *Source) readRows(ctx context.Context, br *bufio.Reader, format string, b *builder) error {
	if kind := foreign(br); kind != "" {
		return s.fail("sources are CSV, TSV, JSON lines, texts by class as a directory or tar archive, SQLite; plain or compressed with gzip or zstd", "is %s", kind)
	}
	if err := skipMark(br); err != nil {
		return err
	}
	quotes := s.Quoting != "none"
	switch format {
	case "jsonl":
		return readJSONLines(ctx, br, b)
	case "tsv":
		return readTable(ctx, br, table{'\t', quotes, csvSizes}, b)
	case "texts":
		return s.fail("texts by class are a directory or a tar archive", "is neither a directory nor a tar archive")
	}
	return readTable(ctx, br, table{',', quotes, csvSizes}, b)
}

// formatOf goes by the name, without the ending of a compression.
func formatOf(location string) string {
	name, _, _ := strings.Cut(location, "?")
	name = strings.ToLower(path.Base(filepath.ToSlash(name)))
	for _, z := range []string{".gz", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, z)
	}
	switch path.Ext(name) {
	case ".tsv", ".tab":
		return "tsv"
	case ".jsonl", ".ndjson", ".json":
		return "jsonl"
	}
	return "csv"
}

// ReadFile reads a CSV file as [Write] writes it, with the columns review and
// sentiment. Progress, when not nil, is told how many bytes of the file have
// been read. Bad rows are errors.
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
	rows, stats, err := readStrictly(ctx, path, &meter{r: f, total: total, report: progress})
	var known *SourceError
	if err != nil && !errors.As(err, &known) {
		err = fmt.Errorf("read source %s: %w", path, err)
	}
	return rows, stats, err
}

// Read is ReadFile for a stream, which may be compressed.
func Read(ctx context.Context, r io.Reader) ([]Row, Stats, error) {
	return readStrictly(ctx, "(stream)", r)
}

func readStrictly(ctx context.Context, name string, r io.Reader) ([]Row, Stats, error) {
	s := &Source{Location: name, Format: "csv", Strict: true}
	br, done, err := decompress(r, s.Limits.withDefaults().Bytes)
	if err != nil {
		return nil, Stats{}, err
	}
	defer done()
	b := newBuilder(s, false)
	if err := s.readRows(ctx, br, "csv", b); err != nil {
		return nil, b.stats, err
	}
	return b.rows, b.stats, nil
}
