package cache_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/flowrepro/flow/cache"
)

func TestErrorTexts(t *testing.T) {
	d := cache.NewDigest(cache.MD5, make([]byte, 16), true)
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint("/f", i))
	}
	tests := []struct {
		err      error
		want     string
		notFound bool
	}{
		{
			&cache.UnsavedError{Paths: many},
			"checkout would overwrite or delete files whose content is not in the cache: /f0, /f1, /f2, /f3, /f4, /f5, /f6, /f7, /f8, /f9 and 2 more", false,
		},
		{
			&cache.MissingError{Path: "/d", Digests: []cache.Digest{d}, Corrupt: []cache.Digest{d}},
			"checkout /d: missing from the cache: 00000000000000000000000000000000.dir (1 corrupted, moved to quarantine)", true,
		},
		{&cache.IgnoreFileError{Dir: "/d"}, ".dvcignore file should not be in collected dir path: '/d'", false},
		{&cache.CorruptError{Digest: d}, "object 00000000000000000000000000000000.dir of the cache is corrupted", true},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
		if errors.Is(tt.err, cache.ErrNotFound) != tt.notFound {
			t.Errorf("%v: is ErrNotFound: %v", tt.err, !tt.notFound)
		}
		if h, ok := tt.err.(interface{ Hint() string }); ok && h.Hint() == "" {
			t.Errorf("%v: empty hint", tt.err)
		}
	}
}
