package tracktest

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/flowrepro/flow/track"
)

func put(t *testing.T, s track.Store, root, name, text string) {
	t.Helper()
	ok(t, s.PutArtifact(t.Context(), root, name, strings.NewReader(text), int64(len(text))))
}

func get(t *testing.T, s track.Store, root, name string) string {
	t.Helper()
	r, err := s.OpenArtifact(t.Context(), root, name)
	ok(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	ok(t, err)
	return string(data)
}

func list(t *testing.T, s track.Store, root, dir string) string {
	t.Helper()
	files, err := s.ListArtifacts(t.Context(), root, dir)
	ok(t, err)
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Path)
		if f.Dir {
			b.WriteByte('/')
		}
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

func artifacts(t *testing.T, _ Options, s track.Store) {
	r := start(t, s)
	root := r.ArtifactURI
	equal(t, list(t, s, root, ""), "")
	put(t, s, root, "a.txt", "one")
	put(t, s, root, "dir/sub/b c+dé.txt", "two")
	put(t, s, root, "dir/empty", "")
	equal(t, list(t, s, root, ""), "a.txt dir/")
	equal(t, list(t, s, root, "dir"), "dir/empty dir/sub/")
	equal(t, list(t, s, root, "dir/sub"), "dir/sub/b c+dé.txt")
	equal(t, list(t, s, root, "nowhere"), "")
	equal(t, get(t, s, root, "a.txt"), "one")
	equal(t, get(t, s, root, "dir/sub/b c+dé.txt"), "two")
	equal(t, get(t, s, root, "dir/empty"), "")
	put(t, s, root, "a.txt", "replaced")
	equal(t, get(t, s, root, "a.txt"), "replaced")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	ok(t, s.PutArtifact(t.Context(), root, "big", bytes.NewReader(big), int64(len(big))))
	equal(t, get(t, s, root, "big") == string(big), true)
	files, err := s.ListArtifacts(t.Context(), root, "")
	ok(t, err)
	for _, f := range files {
		if want := map[string]int64{"a.txt": 8, "big": 1 << 20, "dir": 0}[f.Path]; f.Size != want {
			t.Errorf("%s has the size %d, want %d", f.Path, f.Size, want)
		}
	}
	_, err = s.OpenArtifact(t.Context(), root, "none")
	wantError(t, err, track.ErrNotFound)
	_, err = s.OpenArtifact(t.Context(), root, "dir")
	wantError(t, err, track.ErrNotFound)
	ok(t, s.DeleteArtifact(t.Context(), root, "a.txt"))
	ok(t, s.DeleteArtifact(t.Context(), root, "a.txt"))
	equal(t, list(t, s, root, ""), "big dir/")
	if err := s.PutArtifact(t.Context(), root, "short", strings.NewReader("abc"), 4); err == nil {
		t.Error("a file shorter than its size was stored")
	}
	equal(t, list(t, s, root, ""), "big dir/")
}

func badPaths(t *testing.T, _ Options, s track.Store) {
	root := start(t, s).ArtifactURI
	for _, name := range []string{"../x", "/x", "a/../../x", "a/../b", `a\b`, "a\x00b", "a%20b"} {
		wantError(t, s.PutArtifact(t.Context(), root, name, strings.NewReader(""), 0), track.ErrInvalid)
		_, err := s.OpenArtifact(t.Context(), root, name)
		wantError(t, err, track.ErrInvalid)
		_, err = s.ListArtifacts(t.Context(), root, name)
		wantError(t, err, track.ErrInvalid)
	}
}
