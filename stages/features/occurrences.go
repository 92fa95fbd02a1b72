package features

import "strings"

// Occurrences calls yield for each occurrence of a known term, or of any where
// terms are hashed, with its column and the words of the text that it covers,
// from one up to and without another. Words are what single spaces separate in
// a cleaned text. yield must not keep term.
//
// A token that reaches over a space belongs to no word and its terms are left
// out, as an unusual token pattern may have them.
func (u *Union) Occurrences(doc string, yield func(column int32, term []byte, from, to int)) {
	words := strings.Fields(doc)
	base := int32(0)
	for _, p := range u.Parts() {
		p.occurrences(doc, words, func(column int32, term []byte, from, to int) {
			yield(base+column, term, from, to)
		})
		base += int32(p.Cols())
	}
}

func (v *Vectorizer) occurrences(doc string, words []string, yield func(column int32, term []byte, from, to int)) {
	s := v.scratch.Get().(*rowScratch)
	defer v.scratch.Put(s)
	column := func(term []byte) (int32, bool) {
		if v.vocabulary == nil {
			c, _ := v.hasher.column(term)
			return c, true
		}
		return v.vocabulary.Lookup(term)
	}
	a := v.analyzer
	if a.kind == CharWBAnalyzer {
		for i, w := range words {
			a.split(w, &s.tokens, true)
			starts, ends := a.terms(&s.tokens)
			for k, start := range starts {
				term := s.tokens.text[start:ends[k]]
				if c, ok := column(term); ok {
					yield(c, term, i, i+1)
				}
			}
		}
		return
	}
	owners := v.owners(words, s)
	a.split(doc, &s.tokens, true)
	t := &s.tokens
	if len(owners) != len(t.starts) {
		return
	}
	for i := range owners {
		for n := a.least; n <= a.greatest && i+n <= len(owners); n++ {
			term := t.text[t.starts[i]:t.ends[i+n-1]]
			if c, ok := column(term); ok {
				yield(c, term, owners[i], owners[i+n-1]+1)
			}
		}
	}
}

// owners returns the number of the word that each token of a text is part of.
func (v *Vectorizer) owners(words []string, s *rowScratch) []int {
	var owners []int
	for i, w := range words {
		v.analyzer.split(w, &s.tokens, true)
		for range s.tokens.starts {
			owners = append(owners, i)
		}
		if v.analyzer.kind == CharAnalyzer && i+1 < len(words) {
			owners = append(owners, i) // the space
		}
	}
	return owners
}
