package text

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// anyOptions draws a set of steps in an order that the scan may or may not
// know.
func anyOptions(t *rapid.T) Options {
	o := Options{
		Markup: rapid.Bool().Draw(t, "markup"), Entities: rapid.Bool().Draw(t, "entities"),
		URLs: rapid.Bool().Draw(t, "urls"), Digits: rapid.Bool().Draw(t, "digits"),
		Lowercase: rapid.Bool().Draw(t, "lowercase"), Negation: rapid.Bool().Draw(t, "negation"),
		Punctuation: rapid.Bool().Draw(t, "punctuation"),
		StopWords:   rapid.SampledFrom([]string{"", "nltk", "sklearn"}).Draw(t, "stop words"),
		Lemmas:      rapid.Bool().Draw(t, "lemmas"), LemmaPOS: rapid.SampledFrom([]string{"n", "v", "a", "r"}).Draw(t, "pos"),
		Stem: rapid.Bool().Draw(t, "stem"),
	}
	if rapid.Bool().Draw(t, "reorder") {
		o.Order = rapid.Permutation(Steps()).Draw(t, "order")
	}
	return o
}

// pieces are what makes the steps meet.
var pieces = []string{
	" ", "\n", "\u00a0", "the ", "not ", "don't", "boys", "men", "www.", "http://", "https://", "x.y/", "<", ">", "<br />",
	"1", "²", "A", "É", "İ", "Σ", "ΑΣ", ".", "!", "'", "&amp;", "&", "_", "؛", "\xff", "\xfe", " \xfe ", "é", "less", "ing", "running ",
}

func anyText(t *rapid.T) string {
	if rapid.Bool().Draw(t, "free") {
		return rapid.String().Draw(t, "text")
	}
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 30).Draw(t, "pieces"), "")
}

// One scan does what the steps do one after the other.
func TestScanIsStepwise(t *testing.T) {
	fused := 0
	rapid.Check(t, func(t *rapid.T) {
		o := anyOptions(t)
		o.Entities, o.Negation = false, false
		o.Order = slices.Concat(Steps()[:7], rapid.Permutation(Steps()[7:]).Draw(t, "order of words"))
		c, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		if !c.fused {
			t.Fatalf("%q is not one scan", o.Order)
		}
		fused++
		s := anyText(t)
		got, want := c.Clean(s), string(c.stepwise(c.newScratch(servedWords), nil, s))
		if got != want {
			t.Fatalf("%q: scan of %q\n got %q\nwant %q", o.Order, s, got, want)
		}
	})
	if fused == 0 {
		t.Error("nothing was compared")
	}
}

// What every set of options promises of its result.
func checkClean(t interface{ Fatalf(string, ...any) }, c *Cleaner, s string) {
	got := c.Clean(s)
	if again := c.Clean(s); got != again {
		t.Fatalf("two results for %q: %q, %q", s, got, again)
	}
	if appended := string(c.Append([]byte("before|"), s)); appended != "before|"+got {
		t.Fatalf("Append(%q) = %q, Clean %q", s, appended, got)
	}
	if !utf8.ValidString(got) {
		t.Fatalf("not UTF-8: %q", got)
	}
	if got != strings.Join(strings.FieldsFunc(got, isSpace), " ") {
		t.Fatalf("white space: %q", got)
	}
	o := c.Options()
	if o.Order != nil || o.Negation || o.Entities {
		return
	}
	for _, r := range got {
		// Lemmas and stems are made of letters of the word, and so keep
		// what is out of it out.
		if o.Punctuation && isPunctuation(r) && r != '\'' && r != '-' && r != '_' || o.Digits && isDigit(r) {
			t.Fatalf("%q left in %q", r, got)
		}
	}
	if !o.Lemmas && !o.Stem && !o.Markup && !o.URLs {
		if again := c.Clean(got); again != got {
			t.Fatalf("cleaning %q twice: %q, then %q", s, got, again)
		}
	}
}

func TestCleanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := New(anyOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		checkClean(t, c, anyText(t))
		if again, err := c.Options().Normalize(); err != nil || !slices.Equal(again.Order, c.Options().Order) {
			t.Fatalf("options are not canonical: %+v, %v", again, err)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "It's http://a.b <br/> ΑΣ 1²", "<<<>>>", "www.www.", "\xff\xc3", "not \xfe good. &amp;#x3c;"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	all := Default()
	all.Markup, all.Entities, all.Negation, all.Stem = true, true, true, true
	var cleaners []*Cleaner
	marked := Default()
	marked.Markup = true
	moved := all
	moved.Order = slices.Concat(Steps()[5:], Steps()[:5])
	for _, o := range []Options{Default(), marked, all, moved} {
		c, err := New(o)
		if err != nil {
			f.Fatal(err)
		}
		cleaners = append(cleaners, c)
	}
	f.Fuzz(func(t *testing.T, s string, steps bool) {
		list := cleaners[:2]
		if steps {
			list = cleaners[2:]
		}
		for _, c := range list {
			checkClean(t, c, s)
			if want := string(c.stepwise(c.newScratch(servedWords), nil, s)); c.Clean(s) != want {
				t.Fatalf("scan and steps differ: %q", s)
			}
		}
	})
}
