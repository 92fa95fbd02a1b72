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

// manyTerms is a [Vocabulary] that looks up many terms in less time than one by one.
type manyTerms interface {
	// LookupAll sets columns to those of the terms text[starts[i]:ends[i]], -1 for what
	// is no term. All have the same length.
	LookupAll(text []byte, starts, ends []uint32, columns []int32)
}

// lookupAll returns the columns of terms of a text, -1 for what is no term of the
// vocabulary. They are valid until the next call.
func (s *rowScratch) lookupAll(v Vocabulary, text []byte, starts, ends []uint32) []int32 {
	if cap(s.found) < len(starts) {
		s.found = make([]int32, 2*len(starts))
	}
	found := s.found[:len(starts)]
	if many, ok := v.(manyTerms); ok {
		many.LookupAll(text, starts, ends, found)
		return found
	}
	for i, start := range starts {
		if c, ok := v.Lookup(text[start:ends[i]]); ok {
			found[i] = c
		} else {
			found[i] = -1
		}
	}
	return found
}
