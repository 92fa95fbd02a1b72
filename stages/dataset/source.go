package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Source says where labelled reviews are and how they are written.
type Source struct {
	// Location is the path of a file or directory, or a URL: http://,
	// https://, s3://BUCKET/KEY, postgres://, sqlserver://. A URL with a
	// password is refused.
	Location string
	// Format is "csv", "tsv", "jsonl" or "texts" (a directory or tar archive of
	// texts by class). "" goes by the name and the first bytes.
	Format string
	// Quoting is "minimal", or "" for the same: a field may be quoted; or
	// "none": quotation marks are like any other character.
	Quoting string
	// Text and Label name the columns. "" means review and sentiment.
	Text, Label string
	// Labels map what the label column holds to 0 and 1. Nil means positive
	// and 1 to 1, negative and 0 to 0, and for texts by class also pos and neg.
	Labels map[string]int
	// Part is the part to take as Rows of a source that has several, "train"
	// or "test"; "" means train, and test as Set.Test.
	Part string
	// Checksum pins the bytes of a file behind a URL: sha256:…, md5:… or
	// blake3:… in hexadecimal.
	Checksum string
	// Table or Query say what to read of a database. A table may be written
	// with its schema, SCHEMA.TABLE.
	Table, Query string
	// Strict makes the first bad row an error; otherwise bad rows are left
	// out and counted.
	Strict bool
	// Limits bound what is read.
	Limits Limits
}

// Limits bound what a source may cost. Zero fields mean the defaults.
type Limits struct {
	// Record is the size of the largest row, in bytes; 16 MiB by default.
	Record int64
	// Bytes is the size of the whole source after decompression; 64 GiB.
	Bytes int64
}

func (l Limits) withDefaults() Limits {
	if l.Record <= 0 {
		l.Record = 16 << 20
	}
	if l.Bytes <= 0 {
		l.Bytes = 64 << 30
	}
	return l
}

// The columns of a source that does not name others.
const (
	reviewColumn    = "review"
	sentimentColumn = "sentiment"
)

// schemes are what a location may begin with if it is not a path.
var schemes = []string{"http", "https", "s3", "postgres", "postgresql", "sqlserver", "mssql"}

func (s *Source) scheme() string {
	scheme, _, ok := strings.Cut(s.Location, "://")
	if ok && slices.Contains(schemes, strings.ToLower(scheme)) {
		return strings.ToLower(scheme)
	}
	return ""
}

// IsURL reports whether a location is a URL that [Load] opens, and not a path.
func IsURL(location string) bool { return (&Source{Location: location}).scheme() != "" }

// SourceError reports a source that cannot be read as it is described.
type SourceError struct {
	// Location is the source, Msg what is wrong with it.
	Location, Msg string
	// Help says what to do.
	Help string
}

func (e *SourceError) Error() string { return fmt.Sprintf("source %s: %s", e.Location, e.Msg) }

// Hint says what to do about it.
func (e *SourceError) Hint() string { return e.Help }

func (s *Source) fail(help, format string, args ...any) error {
	return &SourceError{Location: redact(s.Location), Msg: fmt.Sprintf(format, args...), Help: help}
}

// Check reports what is wrong with the description, without opening anything.
func (s *Source) Check() error {
	if s.Location == "" {
		return &SourceError{Location: `""`, Msg: "is empty", Help: "give a path or a URL"}
	}
	switch s.Format {
	case "", "csv", "tsv", "jsonl", "texts":
	default:
		return s.fail("formats: csv, tsv, jsonl, texts", "format %q is unknown", s.Format)
	}
	switch s.Quoting {
	case "", "minimal", "none":
	default:
		return s.fail("quoting: minimal or none", "quoting %q is unknown", s.Quoting)
	}
	switch s.Part {
	case "", "train", "test":
	default:
		return s.fail("parts: train, test", "part %q is unknown", s.Part)
	}
	classes := [2]bool{}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		label := s.Labels[name]
		if label != 0 && label != 1 {
			return s.fail("map each label to 0 or 1", "label %q is mapped to %d", name, label)
		}
		classes[label] = true
	}
	if s.Labels != nil && classes != [2]bool{true, true} {
		return s.fail("map at least one label to 0 and one to 1", "labels lead to one class only")
	}
	if s.text() == s.label() {
		return s.fail("name two columns: columns: {text: …, label: …}", "column %q is both text and label", s.text())
	}
	if err := checkPassword(s); err != nil {
		return err
	}
	if s.Checksum != "" {
		if _, _, err := parseChecksum(s.Checksum); err != nil {
			return s.fail("write it as sha256:…, md5:… or blake3:… with hexadecimal digits", "%v", err)
		}
		if scheme := s.scheme(); scheme != "http" && scheme != "https" && scheme != "s3" {
			return s.fail("leave the checksum out: local files are tracked by the pipeline, and a database has none", "only a file behind a URL can be pinned")
		}
	}
	if s.Table != "" && s.Query != "" {
		return s.fail("give one of them", "both a table and a query")
	}
	return nil
}

func (s *Source) text() string {
	if s.Text == "" {
		return reviewColumn
	}
	return s.Text
}

func (s *Source) label() string {
	if s.Label == "" {
		return sentimentColumn
	}
	return s.Label
}

// labels are the label names; classes adds the names of directories.
func (s *Source) labels(classes bool) map[string]int {
	if s.Labels != nil {
		return s.Labels
	}
	m := map[string]int{"positive": 1, "1": 1, "negative": 0, "0": 0}
	if classes {
		m["pos"], m["neg"] = 1, 0
	}
	return m
}
