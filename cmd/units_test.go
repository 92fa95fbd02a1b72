package cmd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flowrepro/flow/internal/python"
)

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "17B": 17, "1k": 1024, "2KB": 2048, "1.5MiB": 3 << 19, "10G": 10 << 30, " 1 T ": 1 << 40,
	} {
		if got, err := parseBytes(text); err != nil || got != want {
			t.Errorf("parseBytes(%q) = %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "G", "x", "-1", "0", "1X", "NaN", "Inf", "1e300", "1 2"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("parseBytes(%q) = %d, want an error", text, got)
		}
	}
}

func TestParseAge(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30s": 30 * time.Second, "5m": 5 * time.Minute, "1.5h": 90 * time.Minute, "30d": 720 * time.Hour, "2w": 336 * time.Hour,
	} {
		if got, err := parseAge(text); err != nil || got != want {
			t.Errorf("parseAge(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "3", "d", "-1d", "0h", "1y", "NaNd", "1e30w"} {
		if got, err := parseAge(text); err == nil {
			t.Errorf("parseAge(%q) = %v, want an error", text, got)
		}
	}
}

func TestByteCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KB", 3 << 19: "1.5 MB", 1 << 60: "1024.0 PB"} {
		if got := byteCount(n); got != want {
			t.Errorf("byteCount(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestShorten(t *testing.T) {
	md5 := "b026324c6904b2a9cb4b88d6d61c81d1"
	for _, tt := range []struct {
		in    string
		full  bool
		width int
		want  string
	}{
		{md5, false, 80, "b026324c6904"},
		{md5, true, 10, md5},
		{md5 + ".dir", false, 80, "b026324c6904.dir"},
		{md5 + " exec", false, 80, "b026324c6904 exec"},
		{md5 + "x", false, 80, md5 + "x"}, // no digest
		{"a\nb\tc", false, 80, `a\nb\tc`},
		{"0123456789", false, 10, "0123456789"},
		{"0123456789x", false, 10, "012345678…"},
		{"äöüäöüäöüäöü", false, 10, "äöüäöüäöü…"},
		{"", false, 10, ""},
	} {
		if got := shorten(tt.in, tt.full, tt.width); got != tt.want {
			t.Errorf("shorten(%q, %v, %d) = %q, want %q", tt.in, tt.full, tt.width, got, tt.want)
		}
	}
}

func TestCutWords(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"one two", "one two"},
		{"  one \n two ", "one two"},
		{"one two three", "one two…"},
		{"onetwothreefour", "onetwothr…"},
		{"one twothree", "one…"},
	} {
		if got := cutWords(tt.in, 10); got != tt.want {
			t.Errorf("cutWords(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestJoinCommand(t *testing.T) {
	for _, tt := range []struct {
		in   []string
		want string
	}{
		{[]string{"cp a b"}, "cp a b"},
		{[]string{"cp", "a", "b"}, "cp a b"},
		{[]string{"echo", "a b", "c"}, `echo "a b" c`},
		{[]string{"echo", `a "b"`}, `echo a "b"`},
		{nil, ""},
	} {
		if got := joinCommand(tt.in); got != tt.want {
			t.Errorf("joinCommand(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestParamList(t *testing.T) {
	list, err := paramList([]string{"z.yaml:b,a,b", "lr, x", "a.json:", "a.json:k", "params.yaml:b"})
	if err != nil {
		t.Fatal(err)
	}
	text := string(python.JSON(list))
	if want := `["b", "lr", "x", {"a.json": null}, {"z.yaml": ["a", "b"]}]`; text != want {
		t.Errorf("paramList gives %s, want %s", text, want)
	}
	if _, err := paramList([]string{":a"}); err == nil {
		t.Error("a file without a name is accepted")
	}
}

func TestExpandGlob(t *testing.T) {
	dir := t.TempDir()
	for _, f := range []string{"a.csv", "b.txt", "a.csv.dvc", ".hidden.csv", "d/c.csv", "d/e/f.csv", ".h/g.csv", ".gitignore"} {
		p := filepath.Join(dir, filepath.FromSlash(f))
		if err := os.MkdirAll(filepath.Dir(p), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string][]string{
		"*.csv":       {"a.csv"},
		"*":           {"a.csv", "b.txt", "d"},
		"**/*.csv":    {"a.csv", "d/c.csv", "d/e/f.csv"},
		"d/**/f.csv":  {"d/e/f.csv"},
		"./d/../b.*":  {"b.txt"},
		"d/[a-c].csv": {"d/c.csv"},
		"none/*":      nil,
		".h*/g.csv":   {".h/g.csv"},
		"a.csv":       {"a.csv"},
	} {
		found, err := expandGlob(dir, pattern)
		if err != nil {
			t.Errorf("expandGlob(%q): %v", pattern, err)
		}
		var got []string
		for _, f := range found {
			rel, err := filepath.Rel(dir, f)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, filepath.ToSlash(rel))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("expandGlob(%q) (-want +got):\n%s", pattern, diff)
		}
	}
	if _, err := expandGlob(dir, "[a"); err == nil {
		t.Error("a broken pattern is accepted")
	}
}

func TestValidStageName(t *testing.T) {
	for name, want := range map[string]bool{"a": true, "a-b_c": true, "a b": true, "größe": true, "": false, "a.b": false, "a@b": false, "a/b": false} {
		if got := validStageName(name); got != want {
			t.Errorf("validStageName(%q) = %v", name, got)
		}
	}
}
