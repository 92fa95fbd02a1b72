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

// RowOccurrences is [Union.Row] and [Union.Occurrences] in one, for words that
// are those of the text.
func (u *Union) RowOccurrences(doc string, words []string, r *Row, yield func(column int32, term []byte, from, to int)) {
	*r = Row{Indices: r.Indices[:0], Data: r.Data[:0]}
	for i := range u.parts {
		p, first, start := &u.parts[i], int32(u.first[i]), len(r.Indices)
		p.rowOccurrences(doc, words, r, func(column int32, term []byte, from, to int) {
			yield(first+column, term, from, to)
		})
		for k := range r.Indices[start:] {
			r.Indices[start+k] += first
		}
	}
}

// rowOccurrences looks each term up once, where a row has the terms that are
// yielded.
func (v *Vectorizer) rowOccurrences(doc string, words []string, r *Row, yield func(column int32, term []byte, from, to int)) {
	a := v.analyzer
	if v.vocabulary == nil || a.kind == CharWBAnalyzer {
		v.appendRow(doc, r)
		v.occurrences(doc, words, yield)
		return
	}
	s := v.scratch.Get().(*rowScratch)
	defer v.scratch.Put(s)
	owners := v.owners(words, s)
	a.split(doc, &s.tokens, true)
	t := &s.tokens
	owned := len(owners) == len(t.starts)
	s.cols = s.cols[:0]
	starts, ends := a.terms(t)
	found := s.lookupAll(v.vocabulary, t.text, starts, ends)
	terms := 0
	for i := range t.starts {
		for n := a.least; n <= a.greatest && i+n <= len(t.starts); n++ {
			c := found[terms]
			term := t.text[starts[terms]:ends[terms]]
			terms++
			if c < 0 {
				continue
			}
			s.cols = append(s.cols, c)
			if owned {
				yield(c, term, int(owners[i]), int(owners[i+n-1])+1)
			}
		}
	}
	r.Terms += terms
	r.Unknown += terms - len(s.cols)
	v.weights.weigh(s.cols, s.room(), r)
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
				yield(c, term, int(owners[i]), int(owners[i+n-1])+1)
			}
		}
	}
}

// owners returns the number of the word that each token of a text is part of.
// It is valid until the next call.
func (v *Vectorizer) owners(words []string, s *rowScratch) []int32 {
	a := v.analyzer
	whole := a.kind == WordAnalyzer && a.pattern.any == nil && a.pattern.run == nil && a.stop == nil
	owners := s.owners[:0]
	for i, w := range words {
		if whole && isPlainWord(w) {
			// Its characters are those of one token, unless they are too few.
			if len(w) >= a.pattern.least {
				owners = append(owners, int32(i))
			}
			continue
		}
		a.split(w, &s.tokens, true)
		for range s.tokens.starts {
			owners = append(owners, int32(i))
		}
		if a.kind == CharAnalyzer && i+1 < len(words) {
			owners = append(owners, int32(i)) // the space
		}
	}
	s.owners = owners
	return owners
}

// isPlainWord reports whether a text is a run of ASCII's word characters.
func isPlainWord(s string) bool {
	for i := range len(s) {
		if c := sameCase[s[i]]; c == 0 || c == beyond {
			return false
		}
	}
	return true
}
