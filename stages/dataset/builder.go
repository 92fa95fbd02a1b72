package dataset

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// builder collects rows and what is wrong with them.
type builder struct {
	source *Source
	labels map[string]int
	rows   []Row
	stats  Stats
	// unknown are the first labels that led to no class.
	unknown []string
}

func newBuilder(s *Source, classes bool) *builder {
	return &builder{source: s, labels: s.labels(classes)}
}

// add takes a row that was read and keeps the text.
func (b *builder) add(where, text, label string) error {
	class, ok := b.labels[label]
	if !ok {
		b.stats.Skipped++
		b.stats.fault(where, "%s is %s", b.source.label(), quote(label))
		if len(b.unknown) < 10 && !slices.Contains(b.unknown, label) {
			b.unknown = append(b.unknown, strings.Clone(label))
		}
		return nil
	}
	if msg := textFault(text); msg != "" {
		return b.bad(where, "%s %s", b.source.text(), msg)
	}
	b.rows = append(b.rows, Row{Review: text, Label: class})
	b.stats.keep(class)
	return nil
}

// bad counts a row that could not be read; for a strict source it is an error.
func (b *builder) bad(where, format string, args ...any) error {
	if b.source.Strict {
		return fmt.Errorf("%s: "+format, append([]any{where}, args...)...)
	}
	b.stats.Bad++
	b.stats.fault(where, format, args...)
	return nil
}

func textFault(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.IndexByte(text, 0) >= 0:
		return "has a NUL byte"
	}
	return ""
}

func quote(s string) string {
	if len(s) > 40 {
		s = s[:40] + "…"
	}
	return fmt.Sprintf("%q", s)
}

// checkClasses reports a class without rows: nothing can be learned then.
func (b *builder) checkClasses() error {
	if b.stats.Positive > 0 && b.stats.Positive < b.stats.Rows {
		return nil
	}
	s := b.source
	if b.stats.Rows == 0 && b.stats.Bad > 0 && b.stats.Skipped == 0 {
		return s.fail("see whether format and columns fit the source", "no row can be read: %s", b.stats.LeftOut())
	}
	missing := 0
	if b.stats.Positive == 0 {
		missing = 1
	}
	var names []string
	for name, class := range b.labels {
		if class == missing {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	help := "give a source that has both classes"
	if len(b.unknown) > 0 {
		slices.Sort(b.unknown)
		help = fmt.Sprintf("the source has other labels (%s): map them, labels: {%s: 1, …: 0}", strings.Join(b.unknown, ", "), b.unknown[0])
	}
	return s.fail(help, "no row of class %d (%s %s) among %d rows", missing, s.label(), strings.Join(names, " or "), b.stats.Rows+b.stats.Skipped+b.stats.Bad)
}
