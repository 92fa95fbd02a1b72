package text

import (
	"runtime"
	"slices"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Cleaner applies one set of options. It is immutable and safe for concurrent
// use.
type Cleaner struct {
	options Options
	stop    wordSet
	// phases are the steps that are on, in their order.
	phases []phase
	// fused tells that one scan does what the steps do one after the other.
	fused bool
	// ascii says what the scan does with a byte: what it becomes, and 256 times
	// its class.
	ascii [256]uint16
	// scratch is what calls work in.
	scratch scratches
}

// phase is a step on whole texts, or successive steps on single words, which
// together are a function of the word.
type phase struct {
	step  string
	forms []func(word string) string
}

// New returns a cleaner.
func New(o Options) (*Cleaner, error) {
	o, err := o.Normalize()
	if err != nil {
		return nil, err
	}
	c := &Cleaner{options: o}
	if c.stop, err = stopWords(o.StopWords, o.Keep, o.Drop); err != nil {
		return nil, err
	}
	order := o.Order
	if order == nil {
		order = o.defaultOrder()
	}
	for _, step := range order {
		form := c.form(step)
		if last := len(c.phases) - 1; form != nil && last >= 0 && c.phases[last].forms != nil {
			c.phases[last].forms = append(c.phases[last].forms, form)
			continue
		}
		p := phase{step: step}
		if form != nil {
			p.forms = append(p.forms, form)
		}
		c.phases = append(c.phases, p)
	}
	c.fused = c.canFuse()
	c.classify()
	return c, nil
}

// Options returns the cleaner's options in canonical form.
func (c *Cleaner) Options() Options { return c.options }

// Clean returns the cleaned text: words separated by single spaces, or "".
// Bytes that are not UTF-8 count as U+FFFD.
func (c *Cleaner) Clean(s string) string {
	sc := c.take()
	defer c.scratch.put(sc)
	sc.out = c.append(sc, sc.out[:0], s)
	return string(sc.out)
}

// Append appends the cleaned text to dst and returns the extended buffer. It
// allocates only where dst grows or a word is met for the first time.
func (c *Cleaner) Append(dst []byte, s string) []byte {
	sc := c.take()
	defer c.scratch.put(sc)
	return c.append(sc, dst, s)
}

func (c *Cleaner) append(sc *scratch, dst []byte, s string) []byte {
	if c.fused && !(c.options.Lowercase && containsSigma(s)) {
		return c.scan(sc, dst, s)
	}
	return c.stepwise(sc, dst, s)
}

// scratch is what one call works in.
type scratch struct {
	out, word []byte
	// from and to are the text before and after a step.
	from, to []byte
	// memos remember the words of each phase.
	memos []memo
}

// scratches keeps what calls work in, the last used first. Unlike a [sync.Pool]
// it forgets nothing in a collection: to learn the words of a language again costs
// more than many texts. It keeps as many as can be at work at the same time.
type scratches struct {
	mu   sync.Mutex
	free []*scratch
}

func (s *scratches) put(sc *scratch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) < runtime.GOMAXPROCS(0) {
		s.free = append(s.free, sc)
	}
}

// take returns a scratch that nobody else works in.
func (c *Cleaner) take() *scratch {
	c.scratch.mu.Lock()
	if last := len(c.scratch.free) - 1; last >= 0 {
		sc := c.scratch.free[last]
		c.scratch.free = c.scratch.free[:last]
		c.scratch.mu.Unlock()
		return sc
	}
	c.scratch.mu.Unlock()
	return c.newScratch(servedWords)
}

// newScratch returns a scratch whose memos have at most the given number of
// words.
func (c *Cleaner) newScratch(words int) *scratch {
	sc := &scratch{memos: make([]memo, len(c.phases))}
	for i := range sc.memos {
		sc.memos[i].limit = words
	}
	return sc
}

// form returns what a step does with one word, nil for a step on whole texts.
// A word that disappears becomes "".
func (c *Cleaner) form(step string) func(word string) string {
	switch step {
	case stepStopWords:
		return func(word string) string {
			if _, stop := c.stop[word]; stop {
				return ""
			}
			return word
		}
	case stepLemmas:
		pos := c.options.LemmaPOS
		if pos == "" {
			pos = "n"
		}
		words, repeat := wordClasses[pos], c.options.Lemmatizer != lemmatizer39
		return func(word string) string { return words.lemma(word, repeat) }
	case stepStem:
		return stem
	}
	return nil
}

// canFuse reports whether the steps that the scan knows come in its order,
// followed by steps on words alone.
func (c *Cleaner) canFuse() bool {
	at := -1
	for i, p := range c.phases {
		if p.forms != nil {
			return i == len(c.phases)-1
		}
		if next := slices.Index(steps, p.step); next < at || p.step == stepEntities || p.step == stepNegation {
			return false
		} else {
			at = next
		}
	}
	return true
}

// finish ends a word of a text whose cleaned part begins at start: it appends
// what the steps on words make of it.
func (c *Cleaner) finish(sc *scratch, dst []byte, start int, word []byte) []byte {
	if last := len(c.phases) - 1; last >= 0 && c.phases[last].forms != nil {
		word = c.reform(sc, last, word)
	}
	return appendWord(dst, start, word)
}

// reform returns what the steps on words of a phase make of a word, nothing
// when it is dropped. The result is valid until the next call.
func (c *Cleaner) reform(sc *scratch, phase int, word []byte) []byte {
	m := &sc.memos[phase]
	if form, ok := m.get(word); ok {
		return form
	}
	after := string(word)
	for _, f := range c.phases[phase].forms {
		if after = f(after); after == "" {
			break
		}
	}
	m.put(word, after)
	return []byte(after)
}

func containsSigma(s string) bool {
	for i := 0; i < len(s); i++ {
		// Σ is 0xCE 0xA3.
		if s[i] == 0xce && i+1 < len(s) && s[i+1] == 0xa3 {
			return true
		}
	}
	return false
}

func (c *Cleaner) classify() {
	o := c.options
	for b := range c.ascii {
		r, does := rune(b), keep
		switch {
		case b >= utf8.RuneSelf:
			does = beyond
		case isSpace(r):
			does = split
		case o.Digits && r >= '0' && r <= '9':
			does = drop
		case o.Markup && r == '<':
			does = tag
		case o.Punctuation && isPunctuation(r):
			does = split
		case o.URLs && (r == 'h' || r == 'w'):
			does = url
		}
		if o.Lowercase && b < utf8.RuneSelf {
			r = unicode.ToLower(r)
		}
		c.ascii[b] = uint16(does)<<8 | uint16(byte(r))
	}
}
