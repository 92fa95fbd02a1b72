package project

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOverride(t *testing.T) {
	isolate(t)
	c, err := loadText(t, DVC, "[core]\nremote = a\n['remote \"a\"']\nurl = s3://bucket/a\nregion = eu\n")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := t.TempDir()
	resolve := func(path string) string { return filepath.Join(elsewhere, path) }
	if err := c.Override([]Setting{{"remote.a", "Region", "us"}, {"remote.b", "url", "below/b"}, {"core", "remote", "b"}}, resolve); err != nil {
		t.Fatal(err)
	}
	want := []Remote{
		{Name: "a", URL: "s3://bucket/a", Options: map[string]string{"region": "us"}},
		{Name: "b", URL: filepath.Join(elsewhere, "below", "b"), Options: map[string]string{}},
	}
	if diff := cmp.Diff(want, c.Remotes()); diff != "" {
		t.Error(diff)
	}
	if name, _ := c.DefaultRemote(); name != "b" {
		t.Errorf("the default remote is %q", name)
	}
	// What the schema refuses changes nothing.
	if err := c.Override([]Setting{{"remote.a", "nonsense", "1"}}, resolve); err == nil {
		t.Error("an unknown setting is taken")
	}
	if diff := cmp.Diff(want, c.Remotes()); diff != "" {
		t.Error(diff)
	}
	// A file's paths count from where it is, and it comes after what came before.
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, "['remote \"b\"']\nurl = c\n")
	if err := c.OverrideFile(file); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Remote("b"); err != nil || r.URL != filepath.Join(filepath.Dir(file), "c") {
		t.Errorf("%+v, %v", r, err)
	}
	if err := c.OverrideFile(file + "-none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	// Nothing of it is written.
	if got := c.Entries(LocalLevel); len(got) != 0 {
		t.Errorf("the local level has %v", got)
	}
}
