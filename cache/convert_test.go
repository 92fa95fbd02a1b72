package cache

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestConvert gives objects a second name, which is of the same file, and finds
// those that are not what the first says.
func TestConvert(t *testing.T) {
	for _, content := range []string{"", "text\r\n", strings.Repeat("0123456789abcdef", 1<<20)} {
		s, err := Open(Options{Dir: t.TempDir(), Hash: MD5})
		if err != nil {
			t.Fatal(err)
		}
		d, _, err := s.Put(t.Context(), strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it is there
			c, err := s.Convert(t.Context(), d, BLAKE3, nil)
			if err != nil {
				t.Fatal(err)
			}
			if want := digestOf(BLAKE3, []byte(content), false); c.Digest != want || c.Size != int64(len(content)) || !c.Linked {
				t.Errorf("%d bytes: got %+v, want %s", len(content), c, want)
			}
			if data, err := os.ReadFile(s.Path(c.Digest)); err != nil || string(data) != content {
				t.Errorf("%d bytes: %v, the object has %d", len(content), err, len(data))
			}
		}
	}
}

func TestConvertDamaged(t *testing.T) {
	s, err := Open(Options{Dir: t.TempDir(), Hash: BLAKE3})
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := s.Put(t.Context(), strings.NewReader("right"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(s.Path(d), 0o644), os.WriteFile(s.Path(d), []byte("wrong"), 0o644), os.Chmod(s.Path(d), 0o444)); err != nil {
		t.Fatal(err)
	}
	var damaged *CorruptError
	if _, err := s.Convert(t.Context(), d, MD5, nil); !errors.As(err, &damaged) || damaged.Quarantine == "" {
		t.Errorf("got %v", err)
	}
	if s.Has(d) || s.Has(digestOf(MD5, []byte("wrong"), false)) {
		t.Error("the damaged object still has a name")
	}
	if _, err := s.Convert(t.Context(), d, MD5, nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}
