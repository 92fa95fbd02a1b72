package features

// Vocabulary gives terms their columns. An implementation is immutable and
// safe for concurrent use.
type Vocabulary interface {
	// Len returns the number of columns.
	Len() int
	// Lookup returns the column of a term. It must not keep or change term.
	Lookup(term []byte) (column int32, ok bool)
	// Term returns the text of a column from 0 to Len()-1.
	Term(column int32) string
}
