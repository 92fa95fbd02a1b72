package dataset

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Row is one labelled review.
type Row struct {
	Review string
	// Label is 1 for a positive review and 0 for a negative one.
	Label int
}

// Set is what a source holds.
type Set struct {
	// Rows are all rows, or the training part where the source has parts of
	// its own, as the IMDB archive does.
	Rows []Row
	// Test is the source's own test part, nil when it has none.
	Test  []Row
	Stats Stats
	// Checksum is that of a downloaded file: the pinned one, or its SHA-256.
	// "" when nothing was downloaded.
	Checksum string
}

// Stats count what a source held.
type Stats struct {
	// Rows were kept. Skipped were left out because their label is none of
	// those asked for, Bad because they could not be read.
	Rows, Skipped, Bad int
	// Positive is the number of kept rows with label 1.
	Positive int
	// Faults are the first rows that were left out.
	Faults []Fault
}

// Fault says why a row was left out.
type Fault struct {
	// Where names the row: "line 3", "pos/17_8.txt", "row 3".
	Where, Msg string
}

func (f Fault) String() string { return f.Where + ": " + f.Msg }

// maxFaults is how many faults are kept.
const maxFaults = 5

func (s *Stats) fault(where, format string, args ...any) {
	if len(s.Faults) < maxFaults {
		s.Faults = append(s.Faults, Fault{where, fmt.Sprintf(format, args...)})
	}
}

func (s *Stats) keep(label int) {
	s.Rows++
	s.Positive += label
}

// LeftOut returns one line that names the first rows that were left out and
// counts the rest, "" when all were kept.
func (s Stats) LeftOut() string {
	n := s.Skipped + s.Bad
	if n == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d rows left out", n)
	if n == 1 {
		b.Reset()
		b.WriteString("1 row left out")
	}
	for i, f := range s.Faults {
		sep := "; "
		if i == 0 {
			sep = ": "
		}
		b.WriteString(sep + f.String())
	}
	if more := n - len(s.Faults); more > 0 && len(s.Faults) > 0 {
		fmt.Fprintf(&b, "; and %d more", more)
	}
	return b.String()
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

// sortRows brings rows whose order means nothing into one that depends on
// them alone.
func sortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(strings.Compare(a.Review, b.Review), cmp.Compare(a.Label, b.Label))
	})
}
