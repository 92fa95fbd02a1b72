package text

import (
	"context"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSteps(t *testing.T) {
	off := func(o *Options) { *o = Options{} }
	for _, tt := range []struct {
		name   string
		change func(o *Options)
		in     string
		want   string
	}{
		{"nothing but white space", off, " A <b>b</b>  http://x 12, the MEN's\n", "A <b>b</b> http://x 12, the MEN's"},
		{"markup", func(o *Options) { off(o); o.Markup = true }, "one<br />two <i>three</i> 4 < 5", "one two three 4 < 5"},
		{"markup ends a URL", func(o *Options) { off(o); o.Markup, o.URLs = true, true }, "see http://x.y<br>next www.<b>z", "see next www. z"},
		{"tag without end in a URL", func(o *Options) { off(o); o.Markup, o.URLs = true, true }, "a http://x<y z", "a z"},
		{"no markup in a URL", func(o *Options) { off(o); o.URLs = true }, "see http://x.y<br>next", "see"},
		{"digits join", func(o *Options) { off(o); o.Digits = true }, "a1b 22 c", "ab c"},
		{"case kept", func(o *Options) { o.Lowercase = false }, "The Boys and the boys", "The Boys boy"},
		{"punctuation kept", func(o *Options) { o.Punctuation = false }, "I don't, can't.", "don't, can't."},
		{"kept stop words", func(o *Options) { o.Keep = []string{"not", "no", "not"} }, "This is not the one, no!", "not one no"},
		{"greek with markup", func(o *Options) { o.Markup = true }, "ΟΔΟΣ<br/>1 <b ΣΟΦΟΣ", "οδος b σοφος"},
		{"not UTF-8", nil, "a\xffbc \xc3( end", "a\ufffdbc \ufffd end"},
	} {
		if got := cleaner(t, tt.change).Clean(tt.in); got != tt.want {
			t.Errorf("%s: Clean(%q) = %q, want %q", tt.name, tt.in, got, tt.want)
		}
	}
}

func TestNormalize(t *testing.T) {
	o, err := Options{StopWords: "nltk", Keep: []string{"b", "a", "b"}}.Normalize()
	if err != nil || strings.Join(o.Keep, " ") != "a b" {
		t.Errorf("Keep %q, error %v", o.Keep, err)
	}
	o, err = Options{StopWords: "none", Keep: []string{"a"}}.Normalize()
	if err != nil || o.StopWords != "" || o.Keep != nil {
		t.Errorf("%+v, error %v", o, err)
	}
	for _, bad := range []Options{{StopWords: "french"}, {StopWords: "nltk", Keep: []string{"two words"}}} {
		if _, err := New(bad); err == nil {
			t.Errorf("%+v: no error", bad)
		}
	}
}

func TestLists(t *testing.T) {
	if n := len(nltkWords()); n != 198 {
		t.Errorf("%d NLTK stop words", n)
	}
	if n := len(sklearnWords()); n != 318 {
		t.Errorf("%d scikit-learn stop words", n)
	}
	if n := len(nounLists().nouns); n != 57506 {
		t.Errorf("%d nouns", n)
	}
	for _, w := range []string{"don't", "the"} {
		if !IsStopWord("nltk", w) {
			t.Errorf("%q is no stop word", w)
		}
	}
	if IsStopWord("nltk", "film") || IsStopWord("", "the") || IsStopWord("french", "the") {
		t.Error("a stop word too many")
	}
}

func TestAllKeepsOrder(t *testing.T) {
	c := cleaner(t, nil)
	in := make([]string, 1000)
	for i := range in {
		in[i] = strings.Repeat("films ", i%7) + string(rune('a'+i%26)) + "zz"
	}
	done := make(chan int, len(in))
	got, err := c.All(context.Background(), in, 4, func(n int) { done <- n })
	if err != nil {
		t.Fatal(err)
	}
	for i := range in {
		if want := c.Clean(in[i]); got[i] != want {
			t.Fatalf("text %d: %q, want %q", i, got[i], want)
		}
	}
	close(done)
	sum := 0
	for n := range done {
		sum += n
	}
	if sum != len(in) {
		t.Errorf("progress counts %d of %d", sum, len(in))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.All(ctx, in, 4, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"", "It's http://a.b <br/> ΑΣ 1²", "<<<>>>", "www.www.", "\xff\xc3"} {
		f.Add(s, true)
	}
	o := Default()
	withMarkup := o
	withMarkup.Markup = true
	plain, err := New(o)
	if err != nil {
		f.Fatal(err)
	}
	marked, err := New(withMarkup)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string, markup bool) {
		c := plain
		if markup {
			c = marked
		}
		got := c.Clean(s)
		if got != c.Clean(s) {
			t.Fatal("two results for one text")
		}
		if !utf8.ValidString(got) {
			t.Fatalf("not UTF-8: %q", got)
		}
		if got != strings.Join(strings.FieldsFunc(got, isSpace), " ") {
			t.Fatalf("white space: %q", got)
		}
		for _, r := range got {
			if isPunctuation(r) || isDigit(r) {
				t.Fatalf("%q left in %q", r, got)
			}
		}
	})
}

func BenchmarkClean(b *testing.B) {
	c := cleaner(b, nil)
	s := strings.Repeat("The actors' performances weren't bad; the 2 endings were <br /> better than most movies I've seen! ", 13)
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		c.Clean(s)
	}
}
